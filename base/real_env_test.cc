// SPDX-License-Identifier: Apache-2.0
#include "base/real_env.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace tidegate {
namespace {

class RealEnvTest : public testing::Test {
 protected:
  RealEnvTest() {
    char name[] = "/tmp/tidegate-env-XXXXXX";
    folder_ = ::mkdtemp(name);
  }
  ~RealEnvTest() override { std::filesystem::remove_all(folder_); }
  std::string in(const std::string& name) const { return folder_ + "/" + name; }

  std::string folder_;
  FileSystem& files_ = *real_env().files;
};

TEST_F(RealEnvTest, WhatIsWrittenIsReadBack) {
  auto file = files_.open(in("a"), OpenMode::kCreate).value();
  ASSERT_TRUE(file->write_at(0, as_bytes("hello world")).ok());
  ASSERT_TRUE(file->truncate(5).ok());
  ASSERT_TRUE(file->sync().ok());
  EXPECT_EQ(file->size().value(), 5U);
  Bytes out(10);
  EXPECT_EQ(file->read_at(1, out).value(), 4U);
  EXPECT_EQ(as_text(ByteView(out).first(4)), "ello");
  EXPECT_EQ(as_text(read_file(files_, in("a"), 5).value()), "hello");
}

TEST_F(RealEnvTest, ReplaceFileLeavesNoTemporaryFile) {
  ASSERT_TRUE(replace_file(files_, in("p"), as_bytes("one")).ok());
  ASSERT_TRUE(replace_file(files_, in("p"), as_bytes("2")).ok());
  EXPECT_EQ(as_text(read_file(files_, in("p"), 10).value()), "2");
  EXPECT_EQ(files_.list(folder_).value(), std::vector<std::string>{"p"});
}

TEST_F(RealEnvTest, FoldersAreMadeAndListedInOrder) {
  ASSERT_TRUE(files_.make_dirs(in("x/y/z/")).ok());
  ASSERT_TRUE(files_.make_dirs(in("x/y")).ok());
  ASSERT_TRUE(files_.make_dirs(in("x/b")).ok());
  EXPECT_EQ(files_.list(in("x")).value(), (std::vector<std::string>{"b", "y"}));
  EXPECT_TRUE(files_.exists(in("x/y/z")));
}

TEST_F(RealEnvTest, RenameLinkAndRemoveChangeNames) {
  ASSERT_TRUE(replace_file(files_, in("a"), as_bytes("1")).ok());
  ASSERT_TRUE(files_.hard_link(in("a"), in("b")).ok());
  ASSERT_TRUE(files_.rename(in("a"), in("c")).ok());
  ASSERT_TRUE(files_.remove(in("b")).ok());
  ASSERT_TRUE(files_.sync_dir(folder_).ok());
  EXPECT_EQ(files_.list(folder_).value(), std::vector<std::string>{"c"});
}

TEST_F(RealEnvTest, ErrorsCarryThePathAndTheReason) {
  const auto missing = files_.open(in("none"), OpenMode::kRead);
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(missing.error().path, in("none"));
  EXPECT_TRUE(missing.error().text().ends_with(": cannot open: it does not exist")) << missing.error().text();
  EXPECT_EQ(files_.open(folder_, OpenMode::kRead).error().code, ErrorCode::kIo);
  ASSERT_TRUE(files_.open(in("a"), OpenMode::kCreate).ok());
  EXPECT_EQ(files_.open(in("a"), OpenMode::kCreate).error().code, ErrorCode::kAlreadyExists);
}

TEST_F(RealEnvTest, AFullDeviceIsNoSpace) {
  if (!files_.exists("/dev/full")) GTEST_SKIP() << "there is no /dev/full here";
  auto file = files_.open("/dev/full", OpenMode::kReadWrite).value();
  EXPECT_EQ(file->write_at(0, as_bytes("x")).error().code, ErrorCode::kNoSpace);
}

TEST_F(RealEnvTest, ASecondHolderIsRefusedAndToldThePid) {
  auto held = files_.lock(in("lock"));
  ASSERT_TRUE(held.ok());
  const auto second = files_.lock(in("lock"));
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, ErrorCode::kLocked);
  EXPECT_NE(second.error().detail.find("process " + std::to_string(::getpid())), std::string::npos);
  held = Error();
  EXPECT_TRUE(files_.lock(in("lock")).ok());
}

TEST_F(RealEnvTest, SpaceClockAndRandomAnswer) {
  const SpaceInfo space = files_.space(folder_).value();
  EXPECT_GT(space.total, 0U);
  EXPECT_LE(space.free, space.total);
  const Nanos before = real_env().clock->now();
  EXPECT_GE(real_env().clock->now(), before);
  EXPECT_GT(real_env().clock->wall_micros(), 1'600'000'000'000'000);
  EXPECT_NE(real_env().random->u64(), real_env().random->u64());
}

}  // namespace
}  // namespace tidegate
