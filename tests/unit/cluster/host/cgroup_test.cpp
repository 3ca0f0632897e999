// Control groups as hosts and containers show them, with files in a folder in place of /proc and /sys/fs/cgroup.
#include "cluster/host/cgroup.h"

#include <gtest/gtest.h>

#include <fstream>
#include <new>
#include <stdexcept>
#include <system_error>

#include "cluster/host/process_limits.h"
#include "support/temp_dir.h"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

/// A process's view: what /proc/self says, and folders of groups.
class Groups {
 public:
  Groups(const std::string& cgroup, const std::string& mountinfo) {
    write("proc/cgroup", cgroup);
    write("proc/mountinfo", mountinfo);
  }
  void write(const std::string& file, const std::string& text) const {
    fs::create_directories(fs::path(path(file)).parent_path());
    std::ofstream(path(file)) << text;
  }
  std::string path(const std::string& file) const { return dir_ / file; }
  fs::path proc() const { return path("proc"); }
  std::vector<std::string> folders(const std::string& controller) const {
    std::vector<std::string> names;
    for (const fs::path& folder : cgroup_folders(controller, proc())) names.push_back(folder.lexically_relative(dir_.path()).string());
    return names;
  }
  void mounted(const std::string& root, const std::string& point, const std::string& type) const {
    std::ofstream(path("proc/mountinfo"), std::ios::app) << "31 23 0:27 " << root << " " << path(point) << " rw,nosuid - " << type << "\n";
  }

 private:
  testing::TempDir dir_;
};

using Names = std::vector<std::string>;

TEST(Cgroup, OfVersion2WithItsParents) {
  Groups groups("0::/job/step\n", "");
  groups.mounted("/", "fs", "cgroup2 cgroup2 rw");
  groups.write("fs/job/step/cpu.max", "max 100000\n");
  groups.write("fs/job/cpu.max", "150000 100000\n");
  groups.write("fs/job/cpu.stat", "usage_usec 5\nnr_periods 20\nnr_throttled 18\nthrottled_usec 1\n");
  EXPECT_EQ(groups.folders("cpu"), (Names{"fs/job/step", "fs/job", "fs"}));
  const auto quota = cpu_quota(groups.proc());
  ASSERT_TRUE(quota);
  EXPECT_EQ(quota->cores, 1.5) << "a parent's";
  EXPECT_EQ(quota->folder, groups.path("fs/job"));
  EXPECT_EQ(cpu_throttling(quota->folder).periods, 20);
  EXPECT_EQ(cpu_throttling(quota->folder).throttled, 18);
  groups.write("fs/job/step/cpu.max", "50000 100000\n");
  EXPECT_EQ(cpu_quota(groups.proc())->cores, 0.5) << "the smallest";
}

TEST(Cgroup, OfVersion1AndOfHybrids) {
  Groups groups("5:memory:/m\n4:cpu,cpuacct:/a/b\n0::/user\n", "");
  groups.mounted("/", "unified", "cgroup2 cgroup2 rw");
  groups.mounted("/", "cpu", "cgroup cgroup rw,cpu,cpuacct");
  groups.write("cpu/a/b/cpu.cfs_quota_us", "-1\n");
  groups.write("cpu/a/b/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(groups.folders("cpu"), (Names{"cpu/a/b", "cpu/a", "cpu"}));
  EXPECT_FALSE(cpu_quota(groups.proc()));
  groups.write("cpu/a/cpu.cfs_quota_us", "25000\n");
  groups.write("cpu/a/cpu.cfs_period_us", "50000\n");
  EXPECT_EQ(cpu_quota(groups.proc())->cores, 0.5);
  EXPECT_EQ(groups.folders("memory"), Names{}) << "not mounted";
}

TEST(Cgroup, InsideAContainer) {
  Groups groups("4:cpu:/docker/abc\n", "");
  groups.mounted("/docker/abc", "cpu", "cgroup cgroup rw,cpu");
  groups.write("cpu/cpu.shares", "1\n");
  EXPECT_EQ(groups.folders("cpu"), (Names{"cpu"}));
  groups.write("proc/cgroup", "4:cpu:/kubepods/x\n");
  EXPECT_EQ(groups.folders("cpu"), (Names{"cpu"})) << "a path of another namespace";
  groups.write("proc/cgroup", "");
  EXPECT_EQ(groups.folders("cpu"), Names{});
}

TEST(Cgroup, NumbersThatMeanNoLimit) {
  Groups groups("", "");
  groups.write("max", "max\n");
  groups.write("huge", "9223372036854771712\n");
  groups.write("some", "1048576\n");
  EXPECT_FALSE(cgroup_number(groups.path("max")));
  EXPECT_FALSE(cgroup_number(groups.path("huge")));
  EXPECT_FALSE(cgroup_number(groups.path("none")));
  EXPECT_EQ(cgroup_number(groups.path("some")), 1048576);
}

TEST(MemoryRoom, NamesWhatLimitsIt) {
  const MemoryRoom room = memory_room();
  EXPECT_GT(room.bytes, 0);
  EXPECT_FALSE(room.limit.empty());
  EXPECT_FALSE(room.option.empty());
}

TEST(ErrorText, SaysWhichLimitIsReached) {
  EXPECT_EQ(error_text(std::runtime_error("a b")), "a b");
  EXPECT_EQ(error_text(std::bad_alloc()).rfind("cannot get memory: ", 0), 0U) << error_text(std::bad_alloc());
  const std::system_error again(std::make_error_code(std::errc::resource_unavailable_try_again));
  EXPECT_EQ(error_text(again).rfind("cannot start a thread", 0), 0U) << error_text(again);
}

}  // namespace
}  // namespace lockstep
