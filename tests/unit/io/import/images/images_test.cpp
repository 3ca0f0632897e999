// Folders of PNG and JPEG.
#include "support/import/images.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "io/data/data_file.h"
#include "io/import/images/folder.h"
#include "support/temp_dir.h"
#include "support/throws.h"

namespace lockstep {
namespace {

using testing::expect_error;
using testing::jpeg;
using testing::png;
using testing::write_file;
using Bytes = std::vector<std::uint8_t>;

Image grey(std::int64_t height, std::int64_t width, const Bytes& bytes) { return {height, width, 1, bytes}; }

TEST(Image, PngsAreReadExactly) {
  const Bytes six{0, 50, 100, 150, 200, 255};
  EXPECT_EQ(decode_image(png(grey(2, 3, six)), false, "f.png").bytes, six);
  EXPECT_EQ(decode_image(png({1, 2, 3, six}), true, "f.png").bytes, six);
  EXPECT_EQ(decode_image(png(grey(1, 2, {7, 9})), true, "f.png").bytes, (Bytes{7, 7, 7, 9, 9, 9}));
  EXPECT_EQ(decode_image(png({1, 2, 3, {255, 0, 0, 10, 20, 30}}), false, "f.png").bytes, (Bytes{76, 18}));  // as Pillow
  EXPECT_EQ(decode_image(png({1, 1, 1, {80, 128}}, true), false, "f.png").bytes, Bytes{80});                // transparency is dropped
  const ImageInfo info = image_info(png({1, 2, 3, six}), "f.png");
  EXPECT_EQ(info.height, 1);
  EXPECT_EQ(info.width, 2);
  EXPECT_TRUE(info.colour);
}

TEST(Image, JpegsAreRead) {
  const Image decoded = decode_image(jpeg(grey(8, 16, Bytes(128, 90))), false, "f.jpg");
  EXPECT_EQ(decoded.height, 8);
  EXPECT_EQ(decoded.bytes, Bytes(128, 90));
  EXPECT_FALSE(image_info(jpeg(grey(8, 8, Bytes(64, 90))), "f.jpg").colour);
  EXPECT_EQ(decode_image(jpeg({8, 8, 3, Bytes(192, 60)}), true, "f.jpg").bytes.size(), 192U);
}

TEST(Image, WhatIsNoPictureIsRefused) {
  expect_error([] { decode_image("GIF89a", false, "f.png"); }, {"f.png", "neither a PNG nor a JPEG"});
  const std::string file = png(grey(2, 3, Bytes(6, 1))), photo = jpeg(grey(8, 8, Bytes(64, 90)));
  expect_error([&] { decode_image(file.substr(0, file.size() - 20), false, "f.png"); }, {"f.png", "not a whole PNG"});
  expect_error([&] { decode_image(photo.substr(0, photo.size() - 8), false, "f.jpg"); }, {"f.jpg", "not a whole JPEG"});
  expect_error([&] { decode_image(photo.substr(0, 20), false, "f.jpg"); }, {"f.jpg", "not a whole JPEG"});
}

TEST(Image, ResizesAsPillowDoes) {
  const Image ramp = grey(1, 4, {0, 100, 200, 40});
  EXPECT_EQ(resized(ramp, 1, 2).bytes, (Bytes{71, 117}));  // Image.resize((2, 1), Image.BILINEAR)
  EXPECT_EQ(resized(ramp, 1, 8).bytes, (Bytes{0, 25, 75, 125, 175, 160, 80, 40}));
  EXPECT_EQ(resized(grey(2, 2, {0, 100, 200, 40}), 1, 1).bytes, Bytes{85});
  EXPECT_EQ(resized(ramp, 1, 4).bytes, ramp.bytes);
}

class Folder : public ::testing::Test {
 protected:
  void put(const std::string& name, const std::string& bytes) {
    std::filesystem::create_directories((std::filesystem::path(dir_ / "in") / name).parent_path());
    write_file(dir_ / ("in/" + name), bytes);
  }
  Hdf5File import(const ImageFolderOptions& options = {}) {
    Hdf5File file = Hdf5File::create(dir_ / ("d" + std::to_string(++made_) + ".h5"));
    import_images(file, find_images(dir_ / "in"), options);
    return file;
  }
  testing::TempDir dir_;
  int made_ = 0;
};

TEST_F(Folder, SubFoldersAreClasses) {
  put("dog/b.png", png(grey(2, 2, Bytes(4, 10))));
  put("dog/deeper/a.PNG", png(grey(2, 2, Bytes(4, 11))));
  put("cat/c.jpg", jpeg(grey(2, 2, Bytes(4, 90))));
  put("cat/notes.txt", "x");
  put("cat/.hidden.png", "x");
  const ImageFolder found = find_images(dir_ / "in");
  EXPECT_EQ(found.classes, (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(found.others.size(), 1U);
  const Hdf5File file = import();
  EXPECT_EQ(file.info("/train/x").shape, (std::vector<std::int64_t>{3, 2, 2}));
  std::vector<std::int64_t> labels(3), pixels(12);
  file.read_rows<std::int64_t>("/train/y", 0, 3, labels);
  file.read_rows<std::int64_t>("/train/x", 0, 3, pixels);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(labels[i], pixels[4 * i] < 20 ? 1 : 0);
  EXPECT_EQ(read_names(file).class_names, found.classes);
  EXPECT_EQ(import({.split = "train=0.67,test=0.33"}).info("/test/x").shape.front(), 1);
}

TEST_F(Folder, TrainAndTestAreSplits) {
  put("train/cat/a.png", png(grey(2, 2, Bytes(4, 1))));
  put("test/cat/a.png", png(grey(2, 2, Bytes(4, 2))));
  put("val/dog/a.png", png(grey(2, 2, Bytes(4, 3))));
  const Hdf5File file = import();
  std::vector<std::int64_t> label(1);
  file.read_rows<std::int64_t>("/valid/y", 0, 1, label);
  EXPECT_EQ(label.front(), 1);
  EXPECT_TRUE(file.exists("/test/x"));
  expect_error([&] { import({.split = "train=1"}); }, {"--split"});
}

TEST_F(Folder, PicturesMustFitTogether) {
  put("a/1.png", png(grey(2, 2, Bytes(4, 1))));
  put("a/2.png", png(grey(2, 3, Bytes(6, 1))));
  expect_error([&] { import(); }, {"2.png", "2 x 3", "--size 2x2"});
  EXPECT_EQ(import({.height = 5, .width = 4}).info("/train/x").shape, (std::vector<std::int64_t>{2, 5, 4}));
  put("a/2.png", png({2, 2, 3, Bytes(12, 1)}));
  expect_error([&] { import(); }, {"2.png", "colour", "--grey"});
  EXPECT_EQ(import({.colour = true}).info("/train/x").shape, (std::vector<std::int64_t>{2, 2, 2, 3}));
  EXPECT_EQ(import({.colour = false}).info("/train/x").shape, (std::vector<std::int64_t>{2, 2, 2}));
  expect_error([&] { find_images(dir_ / "nowhere"); }, {"no such folder"});
  expect_error([&] { find_images(dir_ / "in/a"); }, {"has no sub-folders"});
  ImageFolderOptions options;
  parse_size("28x32", options);
  EXPECT_EQ(options.height, 28);
  EXPECT_EQ(options.width, 32);
  for (const char* bad : {"28", "x28", "28x", "28x0", "-1x2", "28x28x3", "99999x1"})
    expect_error([&] { parse_size(bad, options); }, {"28x28"});
}

}  // namespace
}  // namespace lockstep
