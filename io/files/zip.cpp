#include "io/files/zip.h"

#include <fmt/format.h>
#include <zip.h>

#include <array>

#include "cluster/error.h"
#include "core/network/memory_need.h"

namespace lockstep {
namespace {

struct ZipError : zip_error_t {
  ZipError() { zip_error_init(this); }
  ZipError(const ZipError&) = delete;
  ZipError& operator=(const ZipError&) = delete;
  ~ZipError() { zip_error_fini(this); }
};

}  // namespace

struct ZipReader::Handles {
  std::unique_ptr<zip_source_t, decltype(&zip_source_free)> source{nullptr, zip_source_free};
  std::unique_ptr<zip_t, decltype(&zip_discard)> archive{nullptr, zip_discard};
};

ZipReader::ZipReader(std::string path, std::string_view bytes, const std::string& what)
    : path_(std::move(path)), handles_(std::make_unique<Handles>()) {
  ZipError error;
  handles_->source.reset(zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error));
  if (!handles_->source) throw Error(path_ + ": no zip archive in memory: " + zip_error_strerror(&error));
  zip_source_keep(handles_->source.get());  // zip_open_from_source takes one reference
  handles_->archive.reset(zip_open_from_source(handles_->source.get(), ZIP_RDONLY | ZIP_CHECKCONS, &error));
  if (handles_->archive) return;
  zip_source_free(handles_->source.get());
  throw Error(fmt::format("{}: expected {} (a zip archive), found {}: {}", path_, what,
                          bytes.starts_with("PK") ? "one that is damaged or cut short"
                                                  : fmt::format("{} bytes that do not begin as an archive does", bytes.size()),
                          zip_error_strerror(&error)));
}

ZipReader::~ZipReader() = default;

std::vector<ZipReader::Member> ZipReader::members() const {
  std::vector<Member> members;
  const zip_int64_t count = zip_get_num_entries(handles_->archive.get(), 0);
  for (zip_int64_t i = 0; i < count; ++i) {
    zip_stat_t stat;
    zip_stat_init(&stat);
    if (zip_stat_index(handles_->archive.get(), static_cast<zip_uint64_t>(i), 0, &stat) != 0)
      throw Error(fmt::format("{}: cannot read what its member {} is: {}", path_, i, zip_strerror(handles_->archive.get())));
    members.push_back({stat.name, stat.comp_size, stat.size});
  }
  return members;
}

std::string ZipReader::read(const Member& member, double copies, const std::string& remedy) const {
  zip_t* const archive = handles_->archive.get();
  const std::string place = path_ + ": member " + member.name;
  const std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> file(zip_fopen(archive, member.name.c_str(), 0), zip_fclose);
  if (!file) throw Error(place + ": cannot open it: " + zip_strerror(archive));
  expect_memory(copies * static_cast<double>(member.bytes),
                fmt::format("{}, {} bytes in the file and {} when it is unpacked,", place, member.stored_bytes, member.bytes), remedy);
  std::string bytes;
  std::array<char, 1 << 16> buffer{};
  while (true) {  // a member's declared size is not believed before its bytes are there
    const zip_int64_t count = zip_fread(file.get(), buffer.data(), buffer.size());
    if (count < 0) throw Error(place + ": damaged: " + zip_file_strerror(file.get()));
    if (count == 0) break;
    bytes.append(buffer.data(), static_cast<std::size_t>(count));
    if (bytes.size() > member.bytes) break;
  }
  if (bytes.size() != member.bytes) throw Error(fmt::format("{}: expected {} bytes, found {}", place, member.bytes, bytes.size()));
  return bytes;
}

}  // namespace lockstep
