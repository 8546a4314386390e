// SPDX-License-Identifier: Apache-2.0
#include "pipe/catalogue/password.h"

#include <gtest/gtest.h>

#include "base/sim_env.h"

namespace tidegate {
namespace {

TEST(Password, TheRightOneMatchesAndOthersDoNot) {
  SimRandom random(1);
  const std::string stored = hash_password(random, "geheim").value();
  EXPECT_TRUE(verify_password(stored, "geheim").value());
  EXPECT_FALSE(verify_password(stored, "Geheim").value());
  EXPECT_FALSE(verify_password(stored, "").value());
  EXPECT_EQ(stored.find("geheim"), std::string::npos);
}

TEST(Password, EqualPasswordsAreStoredDifferently) {
  SimRandom random(1);
  EXPECT_NE(hash_password(random, "same").value(), hash_password(random, "same").value());
}

// The key was computed by another implementation: hashlib.scrypt of Python, dklen 32.
TEST(Password, TheFormIsTheOneThatIsDocumented) {
  const std::string stored =
      "scrypt$14$8$1$000102030405060708090a0b0c0d0e0f$"
      "531604fe738df33ae62cd2b994bfe3f573ed28c0d9e5547f875b6413189ce59a";
  EXPECT_TRUE(verify_password(stored, "pleaseletmein").value());
}

TEST(Password, NoPasswordMatchesNothing) {
  EXPECT_FALSE(verify_password("", "").value());
  EXPECT_FALSE(verify_password("", "x").value());
}

TEST(Password, EmptyAndHugeOnesAreRefused) {
  SimRandom random(1);
  EXPECT_EQ(hash_password(random, "").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(hash_password(random, std::string(1025, 'x')).error().code, ErrorCode::kInvalidArgument);
}

TEST(Password, StoredFormsThatAreNotOursAreErrorsNotMatches) {
  const std::string salt(32, '0'), key(64, '0');
  for (const std::string& stored :
       {std::string("x"), "plain$15$8$1$" + salt + "$" + key, "scrypt$15$8$" + salt + "$" + key,
        "scrypt$15$8$1$" + salt + "$" + key + "$", "scrypt$15$8$1$00$" + key, "scrypt$15$8$1$" + salt + "$00",
        "scrypt$0$8$1$" + salt + "$" + key, "scrypt$20$32$1$" + salt + "$" + key,
        "scrypt$99$8$1$" + salt + "$" + key})
    EXPECT_EQ(verify_password(stored, "x").error().code, ErrorCode::kDamaged) << stored;
}

}  // namespace
}  // namespace tidegate
