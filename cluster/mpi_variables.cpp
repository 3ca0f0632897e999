#include "cluster/mpi_variables.h"

#include <mpi.h>

#include <vector>

namespace lockstep {
namespace {

template <class T>
std::string number(MPI_T_cvar_handle handle) {
  T value{};
  return MPI_T_cvar_read(handle, &value) == MPI_SUCCESS ? std::to_string(value) : "";
}

/// Choices come as numbers; their names are the texts.
std::string enumerated(MPI_T_cvar_handle handle, MPI_T_enum names) {
  int value = 0, count = 0, length = 0;
  if (MPI_T_cvar_read(handle, &value) != MPI_SUCCESS || MPI_T_enum_get_info(names, &count, nullptr, &length) != MPI_SUCCESS) return "";
  for (int i = 0; i < count; ++i) {
    char name[128] = "";
    int item = 0, size = sizeof name;
    if (MPI_T_enum_get_item(names, i, &item, name, &size) == MPI_SUCCESS && item == value) return name;
  }
  return std::to_string(value);
}

std::string read(int index) {
  int name_length = 0, description_length = 0, verbosity = 0, binding = 0, scope = 0, count = 0;
  MPI_Datatype type = MPI_DATATYPE_NULL;
  MPI_T_enum names = MPI_T_ENUM_NULL;
  if (MPI_T_cvar_get_info(index, nullptr, &name_length, &verbosity, &type, &names, nullptr, &description_length, &binding, &scope) !=
      MPI_SUCCESS)
    return "";
  MPI_T_cvar_handle handle = MPI_T_CVAR_HANDLE_NULL;
  if (MPI_T_cvar_handle_alloc(index, nullptr, &handle, &count) != MPI_SUCCESS) return "";
  std::string value;
  if (type == MPI_CHAR) {
    std::vector<char> text(static_cast<std::size_t>(count) + 1);
    if (MPI_T_cvar_read(handle, text.data()) == MPI_SUCCESS) value = text.data();
  } else if (type == MPI_INT) {
    value = names == MPI_T_ENUM_NULL ? number<int>(handle) : enumerated(handle, names);
  } else if (type == MPI_UNSIGNED) {
    value = number<unsigned>(handle);
  } else if (type == MPI_C_BOOL || type == MPI_CXX_BOOL) {
    value = number<bool>(handle);
  }
  MPI_T_cvar_handle_free(&handle);
  return value;
}

int settings_open = 0;  // of the main thread: how many MpiSettings there are

/// Open MPI takes the level that is asked for here for that of the whole of MPI: it must be the one that MPI was, or will be, initialised
/// with.
bool open_settings() {
  int initialized = 0, level = MPI_THREAD_MULTIPLE, provided = 0;
  MPI_Initialized(&initialized);
  if (initialized != 0) MPI_Query_thread(&level);
  return MPI_T_init_thread(level, &provided) == MPI_SUCCESS;
}

/// Index of a setting; nothing if MPI does not know it.
std::optional<int> index_of(const std::string& name) {
  int index = 0;
  return MPI_T_cvar_get_index(name.c_str(), &index) == MPI_SUCCESS ? std::optional(index) : std::nullopt;
}

}  // namespace

std::optional<std::string> mpi_variable(const std::string& name) {
  int initialized = 0;
  MPI_Initialized(&initialized);
  if ((initialized == 0 && settings_open == 0) || !open_settings()) return std::nullopt;
  std::optional<std::string> value;
  if (const std::optional<int> index = index_of(name)) value = read(*index);
  MPI_T_finalize();
  return value;
}

MpiSettings::MpiSettings() {
  if (open_settings()) ++settings_open;
}

MpiSettings::~MpiSettings() {
  if (settings_open == 0) return;
  --settings_open;
  MPI_T_finalize();
}

bool MpiSettings::set(const std::string& name, const std::string& value) const {
  const std::optional<int> index = settings_open > 0 ? index_of(name) : std::nullopt;
  MPI_T_cvar_handle handle = MPI_T_CVAR_HANDLE_NULL;
  int count = 0;
  if (!index || MPI_T_cvar_handle_alloc(*index, nullptr, &handle, &count) != MPI_SUCCESS) return false;
  // A text's count is the most that MPI reads and writes; shorter ones end with a zero.
  const bool taken = static_cast<std::size_t>(count) > value.size() && MPI_T_cvar_write(handle, value.c_str()) == MPI_SUCCESS;
  MPI_T_cvar_handle_free(&handle);
  return taken;
}

}  // namespace lockstep
