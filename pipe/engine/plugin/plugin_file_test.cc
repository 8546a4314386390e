// SPDX-License-Identifier: Apache-2.0
#include "pipe/engine/plugin/plugin_for_test.h"

namespace tidegate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class PluginFiles : public test::PluginTest {
 protected:
  std::string refusal(const std::string& name) const {
    const Result<PluginFile> found = find_plugin_file(folder_, name);
    return found.ok() ? "(nothing is refused)" : found.error().text();
  }
};

TEST_F(PluginFiles, AreThoseThatEndInSo) {
  write("b.so", "");
  write("a.so", "");
  write(".hidden.so", "");
  write("notes.txt", "");
  EXPECT_THAT(list_plugin_files(folder_).value(), ElementsAre("a.so", "b.so"));
  EXPECT_EQ(list_plugin_files(folder_ + "/none").error().code, ErrorCode::kNotFound);
}

TEST_F(PluginFiles, AreFoundByNameByPathAndByUri) {
  const std::string path = write("a.so", "abc");
  for (const std::string& name : {std::string("a.so"), path, "file://" + path}) {
    const Result<PluginFile> found = find_plugin_file(folder_ + "/", name);
    ASSERT_TRUE(found.ok()) << found.error().text();
    EXPECT_EQ(found->path, path);
    EXPECT_EQ(found->sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  }
  EXPECT_EQ(find_plugin_file(folder_, "b.so").error().code, ErrorCode::kNotFound);
}

TEST_F(PluginFiles, NoNameLeavesTheDirectory) {
  for (const char* name : {"../a.so", "/etc/a.so", "x/a.so", "./a.so", "", ".so", "a.txt", "http://h/a.so"}) {
    EXPECT_THAT(refusal(name), HasSubstr("directly in " + folder_)) << name;
  }
  EXPECT_THAT(refusal(std::string("a\0.so", 5)), HasSubstr("directly in"));
  write("real.so", "");
  ASSERT_EQ(::symlink("real.so", file("link.so").c_str()), 0);
  EXPECT_THAT(refusal("link.so"), HasSubstr("it is a link"));
  ASSERT_EQ(::mkfifo(file("fifo.so").c_str(), 0600), 0);
  EXPECT_THAT(refusal("fifo.so"), HasSubstr("no regular file"));
}

TEST_F(PluginFiles, WhatOthersCanChangeIsRefused) {
  const std::string path = write("a.so", "");
  for (const mode_t mode : {0664, 0646}) {
    ::chmod(path.c_str(), mode);
    EXPECT_THAT(refusal("a.so"), HasSubstr("chmod go-w"));
  }
  ::chmod(path.c_str(), 0644);
  ::chmod(folder_.c_str(), 0775);
  EXPECT_THAT(refusal("a.so"), HasSubstr("chmod go-w"));
  ::chmod(folder_.c_str(), 0755);
  EXPECT_EQ(refusal("a.so"), "(nothing is refused)");
}

TEST_F(PluginFiles, AFileOfAnotherUserIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  const std::string path = write("a.so", "");
  ASSERT_EQ(::chown(path.c_str(), 65534, 65534), 0);
  EXPECT_THAT(refusal("a.so"), HasSubstr("belongs to user 65534"));
}

}  // namespace
}  // namespace tidegate
