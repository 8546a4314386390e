// SPDX-License-Identifier: Apache-2.0
#include "pipe/catalogue/catalogue_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipe/catalogue/catalogue_for_test.h"

namespace tidegate {
namespace {

using ::testing::HasSubstr;

CatalogueSnapshot full() {
  CatalogueSnapshot snapshot;
  const Status done = apply_changes(snapshot, everything());
  EXPECT_TRUE(done.ok()) << done.error().text();
  return snapshot;
}

TEST(CatalogueJson, WhatIsExportedIsImported) {
  for (const CatalogueSnapshot& snapshot : {CatalogueSnapshot{}, full()}) {
    const auto back = import_json(export_json(snapshot));
    ASSERT_TRUE(back.ok()) << back.error().text();
    EXPECT_EQ(*back, snapshot);
  }
}

TEST(CatalogueJson, NoChangedByteAndNoMissingEndPasses) {
  const std::string text = export_json(full());
  for (std::size_t at = 0; at < text.size(); ++at) {
    std::string changed = text;
    changed[at] = static_cast<char>(changed[at] ^ (1 << at % 8));
    ASSERT_FALSE(import_json(changed).ok()) << "byte " << at;
    ASSERT_FALSE(import_json(text.substr(0, at)).ok()) << "cut at " << at;
  }
  EXPECT_FALSE(import_json(text + " ").ok());
}

TEST(CatalogueJson, ANewerVersionIsRefusedAsSuch) {
  std::string text = export_json(full());
  text.replace(text.find("\"version\":1"), 11, "\"version\":2");
  const auto back = import_json(text);
  ASSERT_FALSE(back.ok());
  EXPECT_EQ(back.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(back.error().text(), HasSubstr("newer version"));
}

TEST(CatalogueJson, OtherFilesAreRefused) {
  for (const char* text : {"", "{}", "[]", "null", "{\"format\":\"tidegate-catalogue\"}", "\xff"})
    EXPECT_EQ(import_json(text).error().code, ErrorCode::kDamaged) << text;
}

TEST(CatalogueJson, AttributesAreReadStrictly) {
  const Attributes attributes{"p", {{"a", "1"}, {"b", ""}}};
  EXPECT_EQ(parse_attributes_json(attributes_json(attributes)).value(), attributes);
  for (const char* text :
       {"", "{}", R"({"plugin":"p"})", R"({"plugin":1,"attributes":{}})",
        R"({"plugin":"p","attributes":{"a":1}})", R"({"plugin":"p","attributes":{"a":"1","a":"2"}})",
        R"({"plugin":"p","attributes":{},"x":"y"})", "[]", "7"})
    EXPECT_FALSE(parse_attributes_json(text).ok()) << text;
}

}  // namespace
}  // namespace tidegate
