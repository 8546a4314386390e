// SPDX-License-Identifier: Apache-2.0
#include "pipe/control/data_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/sim_env.h"

namespace tidegate {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class DataDirTest : public ::testing::Test {
 protected:
  Status claim(const char* role) { return claim_data_dir(env_.files, "/data", role); }
  SimEnv env_;
};

TEST_F(DataDirTest, TheFirstDaemonTakesAFolderAndTheOtherRoleIsRefused) {
  ASSERT_TRUE(claim("sender").ok());
  EXPECT_TRUE(claim("sender").ok());
  const Status other = claim("receiver");
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.error().code, ErrorCode::kIdentity);
  EXPECT_THAT(other.error().text(), AllOf(HasSubstr("/data/role"), HasSubstr("belongs to a sender"),
                                          HasSubstr("this is a receiver"), HasSubstr("`data_dir`")));
  EXPECT_TRUE(claim("sender").ok()) << "the refused one has changed nothing";
}

TEST_F(DataDirTest, AFolderFromBeforeThereWereRolesIsAdopted) {
  ASSERT_TRUE(env_.files.make_dirs("/data/journal").ok());
  EXPECT_TRUE(check_data_dir(env_.files, "/data", "receiver").ok());
  EXPECT_FALSE(env_.files.exists("/data/role")) << "a look writes nothing";
  ASSERT_TRUE(claim("receiver").ok());
  EXPECT_FALSE(check_data_dir(env_.files, "/data", "sender").ok());
}

TEST_F(DataDirTest, TheRoleOutlivesAPowerCut) {
  ASSERT_TRUE(claim("sender").ok());
  env_.files.power_cut(env_.random);
  EXPECT_FALSE(claim("receiver").ok());
}

TEST_F(DataDirTest, ARoleThatCannotBeReadIsNotOverwritten) {
  ASSERT_TRUE(env_.files.make_dirs("/data").ok());
  ASSERT_TRUE(replace_file(env_.files, "/data/role", as_bytes("reciever\n")).ok());
  const Status status = claim("receiver");
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kDamaged);
  EXPECT_THAT(status.error().text(), HasSubstr("/data/role"));
}

}  // namespace
}  // namespace tidegate
