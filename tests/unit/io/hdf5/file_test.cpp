#include "io/hdf5/file.h"

#include <gtest/gtest.h>
#include <hdf5.h>

#include <array>
#include <bit>
#include <cmath>
#include <fstream>
#include <limits>
#include <numeric>
#include <thread>

#include "io/data/data_file.h"
#include "io/hdf5/attributes.h"
#include "io/hdf5/image.h"
#include "support/temp_dir.h"
#include "support/throws.h"

namespace lockstep {
namespace {

using testing::expect_error;
using testing::TempDir;
using testing::write_file;
using namespace std::string_literals;

template <class T>
std::vector<T> read(const Hdf5File& file, const std::string& name, std::int64_t lo, std::int64_t hi) {
  std::vector<T> out(static_cast<std::size_t>((hi - lo) * file.info(name).row_elements()));
  file.read_rows<T>(name, lo, hi, out);
  return out;
}

/// Makes a file by plain HDF5 calls, with the creation list and file type of the caller's choice.
template <class T>
void plain_dataset(const std::string& path, hid_t stored, hid_t memory, std::vector<hsize_t> dims, const std::vector<T>& values,
                   hid_t plist) {
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t space = H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr);
  const hid_t set = H5Dcreate2(file, "a", stored, space, H5P_DEFAULT, plist, H5P_DEFAULT);
  ASSERT_GE(set, 0);
  ASSERT_GE(H5Dwrite(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), 0);
  H5Dclose(set);
  H5Sclose(space);
  H5Fclose(file);
}

TEST(Hdf5File, WritesContiguousArraysWhoseBytesStandAtTheOffset) {
  TempDir dir;
  const std::string path = dir / "a.h5";
  std::vector<float> values(5 * 3);
  std::iota(values.begin(), values.end(), 0.5f);
  {
    Hdf5File file = Hdf5File::create(path);
    file.write<float>("/train/x", {5, 3}, values);
    file.write<std::uint8_t>("/train/y", {0}, {});
    file.close();
  }
  const Hdf5File file = Hdf5File::open(path);
  EXPECT_EQ(file.groups(), std::vector<std::string>{"/train"});
  EXPECT_EQ(file.datasets(), (std::vector<std::string>{"/train/x", "/train/y"}));
  const ArrayInfo info = file.info("/train/x");
  EXPECT_EQ(info.shape, (std::vector<std::int64_t>{5, 3}));
  EXPECT_EQ(info.type, ElementType::f32);
  EXPECT_EQ(info.layout, StorageLayout::contiguous);
  EXPECT_TRUE(info.native_order);
  EXPECT_EQ(info.storage_bytes, 60);
  ASSERT_GT(info.file_offset, 0);
  std::vector<float> found(values.size());
  std::ifstream stream(path, std::ios::binary);
  stream.seekg(info.file_offset).read(reinterpret_cast<char*>(found.data()), 60);
  EXPECT_EQ(found, values);
  EXPECT_EQ(read<double>(file, "/train/x", 1, 3), (std::vector<double>{3.5, 4.5, 5.5, 6.5, 7.5, 8.5}));
  EXPECT_TRUE(read<float>(file, "/train/x", 2, 2).empty());
  EXPECT_EQ(file.info("/train/y").rows(), 0);
  EXPECT_EQ(file.info("/train/y").file_offset, -1);
  EXPECT_TRUE(file.exists("/train/x"));
  EXPECT_FALSE(file.exists("/valid/x"));
}

TEST(Hdf5File, SameContentSameBytes) {
  TempDir dir;
  for (const char* name : {"a.h5", "b.h5"}) {
    Hdf5File file = Hdf5File::create(dir / name);
    file.write<std::int64_t>("/train/y", {2}, std::array<std::int64_t, 2>{7, -7});
    write_strings_attribute(file, "/", "class_names", {"a", "b"});
  }
  const auto bytes = [&](const char* name) {
    std::ifstream stream(dir / name, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(stream), {});
  };
  EXPECT_EQ(bytes("a.h5"), bytes("b.h5"));
}

TEST(Hdf5File, ReadsEveryTypeInBothByteOrders) {
  TempDir dir;
  const struct {
    hid_t stored;
    ElementType type;
    bool native;
  } cases[] = {{H5T_STD_U8BE, ElementType::u8, true},     {H5T_STD_I8LE, ElementType::i8, true},
               {H5T_STD_U16LE, ElementType::u16, true},   {H5T_STD_I16BE, ElementType::i16, false},
               {H5T_STD_U32BE, ElementType::u32, false},  {H5T_STD_I32LE, ElementType::i32, true},
               {H5T_STD_U64LE, ElementType::u64, true},   {H5T_STD_I64BE, ElementType::i64, false},
               {H5T_IEEE_F32BE, ElementType::f32, false}, {H5T_IEEE_F64LE, ElementType::f64, true}};
  const std::vector<double> values{0, 1, 100, 127, 3, 5};
  for (const auto& c : cases) {
    plain_dataset(dir / "t.h5", c.stored, H5T_NATIVE_DOUBLE, {3, 2}, values, H5P_DEFAULT);
    const Hdf5File file = Hdf5File::open(dir / "t.h5");
    const ArrayInfo info = file.info("/a");
    EXPECT_EQ(info.type, c.type);
    EXPECT_EQ(info.native_order, c.native) << type_name(c.type);
    EXPECT_EQ(read<double>(file, "/a", 0, 3), values);
    EXPECT_EQ(read<float>(file, "/a", 1, 2), (std::vector<float>{100, 127}));
    EXPECT_EQ(read<std::int64_t>(file, "/a", 2, 3), (std::vector<std::int64_t>{3, 5}));
    std::vector<std::byte> raw(static_cast<std::size_t>(info.row_bytes()));
    file.read_raw("/a", 2, 3, raw);
    EXPECT_EQ(raw.size(), static_cast<std::size_t>(2 * type_bytes(c.type)));
    if (is_floating(c.type)) continue;
    EXPECT_EQ(raw[0], std::byte{3});  // little-endian
  }
}

TEST(Hdf5File, ReadsHalfFloatsAndBooleans) {
  TempDir dir;
  {
    Hdf5File file = Hdf5File::create(dir / "h.h5");
    const std::array<std::uint16_t, 4> halves{0x3C00, 0xC000, 0x3555, 0x7BFF};  // 1, -2, 0.33325195, 65504
    file.write_raw("/a", {4}, ElementType::f16, std::as_bytes(std::span(halves)));
  }
  {
    const Hdf5File file = Hdf5File::open(dir / "h.h5");
    EXPECT_EQ(file.info("/a").type, ElementType::f16);
    EXPECT_EQ(read<float>(file, "/a", 0, 4), (std::vector<float>{1, -2, 0.333251953125f, 65504}));
  }
  const hid_t boolean = H5Tenum_create(H5T_STD_I8LE);  // as h5py stores numpy.bool_
  const std::int8_t no = 0, yes = 1;
  H5Tenum_insert(boolean, "FALSE", &no);
  H5Tenum_insert(boolean, "TRUE", &yes);
  plain_dataset<std::int8_t>(dir / "b.h5", boolean, boolean, {3}, {1, 0, 1}, H5P_DEFAULT);
  H5Tclose(boolean);
  const Hdf5File file = Hdf5File::open(dir / "b.h5");
  EXPECT_EQ(file.info("/a").type, ElementType::i8);
  EXPECT_EQ(read<float>(file, "/a", 0, 3), (std::vector<float>{1, 0, 1}));
  EXPECT_EQ(read<std::int64_t>(file, "/a", 0, 3), (std::vector<std::int64_t>{1, 0, 1}));
  std::array<std::byte, 3> raw{};
  file.read_raw("/a", 0, 3, raw);
  EXPECT_EQ(raw[2], std::byte{1});
}

TEST(Hdf5File, ReadsCompressedChunksAcrossTheirBorders) {
  TempDir dir;
  const hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
  const hsize_t chunk[2] = {4, 2};
  H5Pset_chunk(plist, 2, chunk);
  H5Pset_shuffle(plist);
  H5Pset_deflate(plist, 4);
  std::vector<std::int32_t> values(10 * 3);
  std::iota(values.begin(), values.end(), -5);
  plain_dataset(dir / "c.h5", H5T_STD_I32LE, H5T_NATIVE_INT32, {10, 3}, values, plist);
  H5Pclose(plist);
  const Hdf5File file = Hdf5File::open(dir / "c.h5");
  const ArrayInfo info = file.info("/a");
  EXPECT_EQ(info.layout, StorageLayout::chunked);
  EXPECT_EQ(info.chunk, (std::vector<std::int64_t>{4, 2}));
  EXPECT_EQ(info.filters, (std::vector<std::string>{"shuffle", "gzip(4)"}));
  EXPECT_EQ(info.file_offset, -1);
  EXPECT_EQ(read<std::int64_t>(file, "/a", 3, 9),
            (std::vector<std::int64_t>{4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21}));
}

TEST(Hdf5File, WholeNumbersAreExactOrRefused) {
  TempDir dir;
  Hdf5File file = Hdf5File::create(dir / "w.h5");
  const double nan = std::numeric_limits<double>::quiet_NaN();
  file.write<double>("/fraction", {2, 2}, std::array<double, 4>{1, 2, 2.5, 3});
  file.write<double>("/nan", {1}, std::array<double, 1>{nan});
  file.write<double>("/huge", {1}, std::array<double, 1>{1e19});
  const std::array<std::uint64_t, 2> wide{1, 1ull << 63};
  file.write_raw("/wide", {2}, ElementType::u64, std::as_bytes(std::span(wide)));
  expect_error([&] { read<std::int64_t>(file, "/fraction", 0, 2); }, {"w.h5", "/fraction", "row 1", "2.5"});
  expect_error([&] { read<std::int64_t>(file, "/nan", 0, 1); }, {"/nan", "nan"});
  expect_error([&] { read<std::int64_t>(file, "/huge", 0, 1); }, {"/huge"});
  expect_error([&] { read<std::int64_t>(file, "/wide", 0, 2); }, {"/wide", "row 1", "9223372036854775808"});
  EXPECT_EQ(read<std::int64_t>(file, "/fraction", 0, 1), (std::vector<std::int64_t>{1, 2}));
}

TEST(Hdf5File, AttributesOfEitherStringKind) {
  TempDir dir;
  const std::string path = dir / "s.h5";
  {
    Hdf5File file = Hdf5File::create(path);
    write_strings_attribute(file, "/", "class_names", {"T-shirt/top", "Größe", ""});
    write_strings_attribute(file, "/", "none", {});
    write_string_attribute(file, "/", "description", "old");
    write_string_attribute(file, "/", "description", "new");
    write_int_attribute(file, "/", "seed", -42);
    write_double_attribute(file, "/", "scale", 0.1);
  }
  {
    const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, 4);
    const hsize_t count = 2;
    const hid_t space = H5Screate_simple(1, &count, nullptr);
    const hid_t attribute = H5Acreate2(file, "fixed", type, space, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(attribute, type, "ab\0\0wxyz");
    H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
    H5Fclose(file);
  }
  const Hdf5File file = Hdf5File::open(path);
  EXPECT_EQ(read_strings_attribute(file, "/", "class_names"), (std::vector<std::string>{"T-shirt/top", "Größe", ""}));
  EXPECT_EQ(read_strings_attribute(file, "/", "fixed"), (std::vector<std::string>{"ab", "wxyz"}));
  EXPECT_TRUE(read_strings_attribute(file, "/", "none").empty());
  EXPECT_EQ(read_string_attribute(file, "/", "description"), "new");
  EXPECT_EQ(read_int_attribute(file, "/", "seed"), -42);
  EXPECT_EQ(read_double_attribute(file, "/", "scale"), 0.1);
  EXPECT_EQ(attribute_names(file, "/"), (std::vector<std::string>{"class_names", "description", "fixed", "none", "scale", "seed"}));
  EXPECT_FALSE(has_attribute(file, "/", "absent"));
  expect_error([&] { read_string_attribute(file, "/", "absent"); }, {path, "absent"});
  expect_error([&] { read_int_attribute(file, "/", "scale"); }, {path, "scale", "whole number"});
  expect_error([&] { read_string_attribute(file, "/", "class_names"); }, {path, "class_names", "3"});
}

TEST(Hdf5File, RefusesWhatItCannotReadHonestly) {
  TempDir dir;
  write_file(dir / "text.h5", "this is not HDF5");
  expect_error([&] { Hdf5File::open(dir / "text.h5"); }, {"text.h5", "not an HDF5 file"});
  expect_error([&] { Hdf5File::open(dir / "absent.h5"); }, {"absent.h5", "No such file"});
  expect_error([&] { Hdf5File::create(dir / "no/where.h5"); }, {"where.h5", "HDF5"});
  Hdf5File file = Hdf5File::create(dir / "f.h5");
  file.write<float>("/x", {2, 2}, std::array<float, 4>{});
  file.create_group("/g/h");
  expect_error([&] { file.info("/y"); }, {"f.h5", "/y"});
  expect_error([&] { file.info("/g"); }, {"f.h5", "/g", "group"});
  expect_error([&] { read<float>(file, "/x", 1, 3); }, {"f.h5", "/x", "0 to 2"});
  std::array<float, 3> odd{};
  expect_error([&] { file.read_rows<float>("/x", 0, 2, odd); }, {"/x", "(2, 2)", "3"});
  expect_error([&] { file.write<float>("/z", {2, 2}, odd); }, {"/z", "(2, 2)"});
  expect_error([&] { file.write<float>("/x", {3}, odd); }, {"/x", "cannot create"});
  file.close();

  hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
  write_file(dir / "outside.bin", std::string(8, 'a'));
  H5Pset_external(plist, (dir / "outside.bin").c_str(), 0, 8);
  plain_dataset<std::uint8_t>(dir / "e.h5", H5T_STD_U8LE, H5T_STD_U8LE, {8}, std::vector<std::uint8_t>(8), plist);
  H5Pclose(plist);
  expect_error([&] { Hdf5File::open(dir / "e.h5").info("/a"); }, {"e.h5", "/a", "external"});

  plist = H5Pcreate(H5P_DATASET_CREATE);
  const hsize_t four = 4;
  const hid_t space = H5Screate_simple(1, &four, nullptr);
  H5Pset_virtual(plist, space, "f.h5", "/x", space);
  hid_t raw = H5Fcreate((dir / "v.h5").c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  H5Dclose(H5Dcreate2(raw, "a", H5T_IEEE_F32LE, space, H5P_DEFAULT, plist, H5P_DEFAULT));
  H5Lcreate_external("f.h5", "/x", raw, "away", H5P_DEFAULT, H5P_DEFAULT);
  H5Fclose(raw);
  H5Sclose(space);
  H5Pclose(plist);
  expect_error([&] { Hdf5File::open(dir / "v.h5").info("/a"); }, {"v.h5", "/a", "virtual"});
  expect_error([&] { Hdf5File::open(dir / "v.h5").info("/away"); }, {"v.h5", "/away", "another file"});

  plain_dataset<double>(dir / "c.h5", H5T_NATIVE_LDOUBLE, H5T_NATIVE_DOUBLE, {1}, {1.0}, H5P_DEFAULT);
  const Hdf5File odd_type = Hdf5File::open(dir / "c.h5");
  EXPECT_EQ(odd_type.info("/a").type, ElementType::other);
  expect_error([&] { read<double>(odd_type, "/a", 0, 1); }, {"c.h5", "/a", "float16"});
}

TEST(Hdf5File, ADamagedChunkIsAnError) {
  TempDir dir;
  const hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
  const hsize_t chunk = 1000;
  H5Pset_chunk(plist, 1, &chunk);
  H5Pset_fletcher32(plist);
  plain_dataset<std::uint8_t>(dir / "d.h5", H5T_STD_U8LE, H5T_STD_U8LE, {1000}, std::vector<std::uint8_t>(1000, 0x5A), plist);
  H5Pclose(plist);
  std::fstream stream(dir / "d.h5", std::ios::in | std::ios::out | std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(stream), {});
  const std::size_t at = bytes.find(std::string(100, 0x5A));
  ASSERT_NE(at, std::string::npos);
  stream.seekp(static_cast<std::streamoff>(at + 50)).put(0x5B);
  stream.close();
  const Hdf5File file = Hdf5File::open(dir / "d.h5");
  ::testing::internal::CaptureStderr();
  expect_error([&] { read<float>(file, "/a", 0, 1000); }, {"d.h5", "/a", "rows 0 to 1000", "HDF5"});
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

/// The bytes of a data file with the class names "one", "two", "three".
std::string named_classes(const TempDir& dir) {
  const std::string path = dir / "named.h5";
  Hdf5File file = Hdf5File::create(path);
  write_strings_attribute(file, "/", "class_names", {"one", "two", "three", ""});
  EXPECT_EQ(read_strings_attribute(file, "/", "class_names"),
            (std::vector<std::string>{"one", "two", "three", ""}));  // before it is on disk
  EXPECT_EQ(read_strings_attribute(open_hdf5_image("image", hdf5_image(file)), "/", "class_names"),
            (std::vector<std::string>{"one", "two", "three", ""}));
  file.close();
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// HDF5 1.10 itself crashes on the first, writes beyond its memory on the second and loops for ever on the third.
TEST(Hdf5File, ADamagedHeapOfStringsIsAnError) {
  const TempDir dir;
  const std::string path = dir / "damaged.h5", bytes = named_classes(dir);
  const std::size_t heap = bytes.find("GCOL"), object = heap + 16;  // its first: number, references, 4 bytes, size
  ASSERT_NE(heap, std::string::npos);
  const auto refused = [&](std::size_t at, std::string_view change, const std::string& part) {
    std::string damaged = bytes;
    damaged.replace(at, change.size(), change);
    write_file(path, damaged);
    expect_error([&] { read_strings_attribute(Hdf5File::open(path), "/", "class_names"); },
                 {"damaged.h5: attribute 'class_names' of '/': damaged: ", part});
    expect_error([&] { read_strings_attribute(open_hdf5_image("image", damaged), "/", "class_names"); },
                 {"image: attribute 'class_names' of '/': damaged: ", part});
  };
  using namespace std::string_view_literals;
  refused(object, "\x77"sv, "string 1 is missing in its heap");
  refused(object + 8, "\xff\xff"sv, "a string is larger than its heap");
  refused(object + 8, "\0"sv, "bytes, its heap has 0");
  refused(object + 24, "\1"sv, "two strings of a heap have one number");
  refused(heap, "X"sv, "there is no heap of strings where one should be");
  refused(heap + 8, "\xff\xff\xff\xff\xff\xff\xff\xff"sv, "a heap of strings is larger than the file");
  std::string address(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) address[i] = static_cast<char>(heap >> (8 * i));
  const std::size_t reference = bytes.find("\3\0\0\0"s + address);  // length and heap of "one"
  ASSERT_NE(reference, std::string::npos);
  refused(reference + 9, "\x7f"sv, "an address lies beyond the file's end");
  refused(reference, "\xff\xff"sv, "its strings are longer than the file");
}

TEST(Hdf5File, AShapeBeyondTheFileIsAnError) {
  const TempDir dir;
  const std::string path = dir / "damaged.h5";
  {
    Hdf5File file = Hdf5File::create(path);
    file.write<float>("/x", {3, 77}, std::vector<float>(231));
  }
  std::ifstream in(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(in), {}};
  const std::size_t axis = bytes.find("M\0\0\0\0\0\0\0"s);  // 77
  ASSERT_NE(axis, std::string::npos);
  const auto refused = [&](std::size_t byte, const std::string& part) {
    std::string damaged = bytes;
    damaged[axis + byte] = 'M';
    write_file(path, damaged);
    if (H5_VERSION_GE(1, 14, 0)) {  // it finds that out by itself
      expect_error([&] { Hdf5File::open(path).info("/x"); },
                   {"damaged.h5: cannot open '/x'; the file may be damaged: copy it again (HDF5: "});
    } else {
      expect_error([&] { Hdf5File::open(path).info("/x"); }, {"damaged.h5: data set '/x': shape (3, ", part});
    }
  };
  refused(4, "the file has ");
  refused(7, "is beyond any memory");
}

TEST(Hdf5File, StringsBehindAUserBlockAndWithShortSizes) {
  const TempDir dir;
  const hid_t creation = H5Pcreate(H5P_FILE_CREATE);
  H5Pset_userblock(creation, 1024);
  H5Pset_sizes(creation, 4, 4);
  H5Fclose(H5Fcreate((dir / "f.h5").c_str(), H5F_ACC_TRUNC, creation, H5P_DEFAULT));
  H5Pclose(creation);
  const hid_t id = H5Fopen((dir / "f.h5").c_str(), H5F_ACC_RDWR, H5P_DEFAULT), type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
  H5Tset_size(type, H5T_VARIABLE);
  const hid_t attribute = H5Acreate2(id, "a", type, space, H5P_DEFAULT, H5P_DEFAULT);
  const char* text = "text";
  EXPECT_GE(H5Awrite(attribute, type, &text), 0);
  H5Aclose(attribute);
  H5Tclose(type);
  H5Sclose(space);
  H5Fclose(id);
  EXPECT_EQ(read_string_attribute(Hdf5File::open(dir / "f.h5"), "/", "a"), "text");
}

TEST(Hdf5File, EveryThreadIsSilentAndReadsRight) {
  TempDir dir;
  std::vector<std::int64_t> values(1000);
  std::iota(values.begin(), values.end(), 0);
  Hdf5File::create(dir / "t.h5").write<std::int64_t>("/a", {1000}, values);
  const Hdf5File file = Hdf5File::open(dir / "t.h5");
  ::testing::internal::CaptureStderr();
  std::vector<std::thread> threads;
  std::array<bool, 4> right{};
  for (std::size_t t = 0; t < right.size(); ++t) {
    threads.emplace_back([&, t] {
      right[t] = true;
      for (std::int64_t i = 0; i < 200; ++i) {
        right[t] = right[t] && read<std::int64_t>(file, "/a", i, i + 1).front() == i;
        try {
          file.info("/absent");
          right[t] = false;
        } catch (const Error&) {
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, (std::array<bool, 4>{true, true, true, true}));
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST(DataFile, IsWrittenBesideAndRenamed) {
  TempDir dir;
  const std::string path = dir / "out.h5";
  {
    DataFileWriter writer(path, false);
    writer.file().write<std::uint8_t>("/train/y", {1}, std::array<std::uint8_t, 1>{3});
    EXPECT_FALSE(std::filesystem::exists(path));
  }
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));  // given up: nothing stays
  {
    DataFileWriter writer(path, false);
    write_names(writer.file(), {{"a", "b"}, {}, {"t"}, "about", ""});
    writer.commit();
  }
  const DataNames names = read_names(Hdf5File::open(path));
  EXPECT_EQ(names.class_names, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(names.feature_names.empty());
  EXPECT_EQ(names.target_names, std::vector<std::string>{"t"});
  EXPECT_EQ(names.description, "about");
  expect_error([&] { DataFileWriter(path, false); }, {path, "--force"});
  DataFileWriter(path, true).commit();
  EXPECT_TRUE(read_names(Hdf5File::open(path)).class_names.empty());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir.path()), {}), 1);
  DataFileWriter(dir / "made/for/it.h5", false).commit();
  EXPECT_TRUE(std::filesystem::exists(dir / "made/for/it.h5"));
  expect_error([&] { DataFileWriter(dir / "out.h5/x.h5", false); }, {"out.h5", "cannot make the directory"});
}

}  // namespace
}  // namespace lockstep
