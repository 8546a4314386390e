// SPDX-License-Identifier: Apache-2.0
#include "pipe/model/path.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace tidegate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string quoted(std::string_view node) {
  std::string out;
  append_node(&out, node);
  return out;
}

TEST(Path, NodeStandsBareWhereIoTDBAllowsIt) {
  for (const char* node : {"d1", "1d", "_", "a:b", "a@b#$", "${x}", "温度", "a温b", "\u2E80", "\u9FFF"}) {
    EXPECT_EQ(quoted(node), node);
  }
}

TEST(Path, NodeIsQuotedWhereNeeded) {
  EXPECT_EQ(quoted("123"), "`123`");
  EXPECT_EQ(quoted("a.b"), "`a.b`");
  EXPECT_EQ(quoted("a b"), "`a b`");
  EXPECT_EQ(quoted("a-b"), "`a-b`");
  EXPECT_EQ(quoted("a`b"), "`a``b`");
  EXPECT_EQ(quoted(""), "``");
  EXPECT_EQ(quoted("é"), "`é`");
  EXPECT_EQ(quoted("\u2E7F"), "`\u2E7F`");
  EXPECT_EQ(quoted("\uA000"), "`\uA000`");
  EXPECT_EQ(quoted("\xE6\xB8"), "`\xE6\xB8`") << "half a character";
}

TEST(Path, SplitTakesQuotesAway) {
  EXPECT_THAT(*split_path("root.`a.b`.`1``2`.温度"), ElementsAre("root", "a.b", "1`2", "温度"));
  EXPECT_THAT(*split_path("root.sg.**"), ElementsAre("root", "sg", "**"));
  EXPECT_THAT(*split_path("``"), ElementsAre(""));
}

TEST(Path, BadPathsAreRefusedWithTheColumn) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "empty node at column 1"},
      {"root.", "empty node at column 6"},
      {"root..a", "empty node at column 6"},
      {"root.`a", "without its end at column 6"},
      {"root.`a`b", "no '.' after a quoted node at column 9"},
      {"root.a`b", "inside a node at column 7"}};
  for (const auto& [path, message] : cases) {
    const auto nodes = split_path(path);
    ASSERT_FALSE(nodes.ok()) << path;
    EXPECT_EQ(nodes.error().code, ErrorCode::kMalformed);
    EXPECT_THAT(nodes.error().detail, HasSubstr(message));
  }
}

TEST(Path, CanonicalPathHasQuotesOnlyWhereNeeded) {
  EXPECT_EQ(*canonical_path("`root`.`d1`.`1`"), "root.d1.`1`");
  EXPECT_EQ(*canonical_path("root.a-b"), "root.`a-b`");
}

TEST(Path, AnyNodesSurviveJoinAndSplit) {
  std::mt19937_64 random(7);
  const std::string_view alphabet("`.a1 \xE6\xB8\xA9\xFF");
  for (int i = 0; i < 2000; ++i) {
    std::vector<std::string> nodes(1 + random() % 4);
    for (std::string& node : nodes) {
      for (std::size_t n = random() % 5; n > 0; --n) node.push_back(alphabet[random() % alphabet.size()]);
    }
    const auto split = split_path(join_path(nodes));
    ASSERT_TRUE(split.ok()) << split.error().text();
    EXPECT_EQ(*split, nodes);
    EXPECT_EQ(*canonical_path(join_path(nodes)), join_path(nodes));
  }
}

struct TableRow {
  std::vector<TagView> tags{{"area", "a.1"}, {"line", "7"}, {"machine", "press"}};
  RowView row;
  TableRow() {
    row.database = "plant";
    row.table = "drives";
    row.tags = tags;
  }
};

TEST(Path, TableSeriesMapsToTreeByTagValuesInKeyOrder) {
  std::string path;
  append_series_path(&path, TableRow().row, "temp eratur");
  EXPECT_EQ(path, "root.plant.drives.`a.1`.`7`.press.`temp eratur`");
}

TEST(Path, TreeSeriesKeepsItsDevicePath) {
  RowView row;
  row.addressing = Addressing::kTree;
  row.device = "root.sg.`d-1`";
  std::string path;
  append_series_path(&path, row, "s 1");
  EXPECT_EQ(path, "root.sg.`d-1`.`s 1`");
}

TEST(Path, WithItsTagKeysAPathMapsBack) {
  const std::string_view keys[] = {"area", "line", "machine"};
  std::string path;
  append_series_path(&path, TableRow().row, "v");
  const auto table = path_to_table(path, keys);
  ASSERT_TRUE(table.ok());
  EXPECT_EQ(table->database, "plant");
  EXPECT_EQ(table->table, "drives");
  EXPECT_EQ(table->field, "v");
  EXPECT_THAT(table->tags, ElementsAre(testing::Pair("area", "a.1"), testing::Pair("line", "7"),
                                       testing::Pair("machine", "press")));
  EXPECT_EQ(path_to_table(path, std::span(keys).first(2)).error().code, ErrorCode::kInvalidArgument);
  EXPECT_FALSE(path_to_table("boot.plant.drives.a.b.c.v", keys).ok());
}

TEST(Path, DeviceMapsToLineProtocolByLevel) {
  EXPECT_EQ(device_to_line("root.sg.d1")->measurement, "root.sg.d1");
  EXPECT_EQ(device_to_line("root.`s g`.d1", 1)->measurement, "s g");
  EXPECT_EQ(device_to_line("root.`s g`.d1", 1)->device, "root.`s g`.d1");
  EXPECT_EQ(device_to_line("root.sg.d1", 3).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace tidegate
