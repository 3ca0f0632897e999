#include "io/keras/archive.h"

#include <zip.h>

#include <array>
#include <ctime>
#include <memory>

#include "cluster/error.h"
#include "cluster/json.h"
#include "io/files/zip.h"
#include "io/keras/config.h"
#include "io/keras/config_reader.h"
#include "io/keras/weights.h"

namespace lockstep {
namespace {

constexpr std::time_t kZipEpoch = 315'532'800;  // 1980-01-01, the first date a zip archive can hold

struct ZipError : zip_error_t {
  ZipError() { zip_error_init(this); }
  ZipError(const ZipError&) = delete;
  ZipError& operator=(const ZipError&) = delete;
  ~ZipError() { zip_error_fini(this); }
};

using Source = std::unique_ptr<zip_source_t, decltype(&zip_source_free)>;
using Archive = std::unique_ptr<zip_t, decltype(&zip_discard)>;

Source memory_source(const std::string& path) {
  ZipError error;
  Source source(zip_source_buffer_create(nullptr, 0, 0, &error), zip_source_free);
  if (!source) throw Error(path + ": no zip archive in memory: " + zip_error_strerror(&error));
  return source;
}

Archive new_archive(const std::string& path, zip_source_t* source) {
  ZipError error;
  zip_source_keep(source);  // zip_open_from_source takes one reference
  Archive archive(zip_open_from_source(source, ZIP_TRUNCATE, &error), zip_discard);
  if (archive) return archive;
  zip_source_free(source);
  throw Error(path + ": cannot make an archive: " + zip_error_strerror(&error));
}

/// Adds a stored (uncompressed) member; `bytes` must live until the archive is closed.
void add_member(const std::string& path, zip_t* archive, const char* name, const std::string& bytes) {
  Source source(zip_source_buffer(archive, bytes.data(), bytes.size(), 0), zip_source_free);
  const zip_int64_t index = source ? zip_file_add(archive, name, source.get(), ZIP_FL_ENC_UTF_8) : -1;
  if (index < 0) throw Error(path + ": cannot add " + name + ": " + zip_strerror(archive));
  source.release();  // the archive's now
  const auto member = static_cast<zip_uint64_t>(index);
  if (zip_set_file_compression(archive, member, ZIP_CM_STORE, 0) != 0 || zip_file_set_mtime(archive, member, kZipEpoch, 0) != 0) {
    throw Error(path + ": cannot add " + name + ": " + zip_strerror(archive));
  }
}

std::string read_member(const std::string& path, const ZipReader& archive, const std::string& name) {
  constexpr double kCopies = 3;  // the member, HDF5's image of it, the weights
  for (const ZipReader::Member& member : archive.members()) {
    if (member.name == name) return archive.read(member, kCopies, "Is it a Keras model file?");
  }
  throw Error(path + ": has no member " + name + "; expected config.json and model.weights.h5 as Keras 3 writes them");
}

std::string metadata() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 32> date{};
  std::strftime(date.data(), date.size(), "%Y-%m-%d@%H:%M:%S", &parts);
  return Json{{"keras_version", kKerasVersion}, {"date_saved", date.data()}}.dump();
}

}  // namespace

std::string archive_bytes(Sequential& model, const std::string& path) {
  const std::string about = metadata(), config = model_config(model);
  std::string weights = weights_image(model, path + ": model.weights.h5");
  const Source source = memory_source(path);
  Archive archive = new_archive(path, source.get());
  add_member(path, archive.get(), "metadata.json", about);
  add_member(path, archive.get(), "config.json", config);
  add_member(path, archive.get(), "model.weights.h5", weights);
  if (zip_close(archive.get()) != 0) throw Error(path + ": cannot make the archive: " + zip_strerror(archive.get()));
  static_cast<void>(archive.release());  // zip_close freed it
  weights = std::string();               // twice their size at any time, not three times
  zip_stat_t stat;
  zip_stat_init(&stat);
  if (zip_source_open(source.get()) != 0 || zip_source_stat(source.get(), &stat) != 0)
    throw Error(path + ": cannot read the archive back from memory");
  std::string bytes(stat.size, '\0');
  const zip_int64_t count = zip_source_read(source.get(), bytes.data(), bytes.size());
  zip_source_close(source.get());
  if (count != static_cast<zip_int64_t>(bytes.size())) throw Error(path + ": cannot read the archive back from memory");
  return bytes;
}

StoredModel read_archive(const std::string& path, std::string_view bytes) {
  const ZipReader archive(path, bytes, "a .keras file of Keras 3");
  StoredModel stored = read_model_config(path + ": config.json", read_member(path, archive, "config.json"));
  if (!stored.model.built())
    throw Error(path + ": config.json: the model has no input shape, so it has no weights. Add an Input layer in Keras and save it again",
                kUsage);
  load_weights_image(stored.model, path + ": model.weights.h5", read_member(path, archive, "model.weights.h5"), stored.layers);
  return stored;
}

}  // namespace lockstep
