// SPDX-License-Identifier: Apache-2.0
#include "pipe/statement/result_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipe/statement/utf8.h"

namespace tidegate {
namespace {

// The tables are those of the documents, byte for byte.
TEST(ResultTable, TheTablesOfEdgeCloudAreDrawnAsPrintedThere) {
  EXPECT_EQ(draw_table({{"create time", "name", "pipeSink", "status", "message"},
                        {{"2022-03-30T20:58:30.689", "my_pipe", "my_pipesink", "STOP", ""}},
                        {}}),
            "+-----------------------+-------+-----------+------+-------+\n"
            "|            create time|   name|   pipeSink|status|message|\n"
            "+-----------------------+-------+-----------+------+-------+\n"
            "|2022-03-30T20:58:30.689|my_pipe|my_pipesink|  STOP|       |\n"
            "+-----------------------+-------+-----------+------+-------+\n");
  EXPECT_EQ(
      draw_table(
          {{"name", " type", "attributes"}, {{"my_pipesink", "IoTDB", "ip='127.0.0.1',port=6670"}}, {}}),
      "+-----------+-----+------------------------+\n"
      "|       name| type|              attributes|\n"
      "+-----------+-----+------------------------+\n"
      "|my_pipesink|IoTDB|ip='127.0.0.1',port=6670|\n"
      "+-----------+-----+------------------------+\n");
  EXPECT_EQ(draw_table({{"enalbe"}, {{"true/false"}}, {}}),
            "+----------+\n"
            "|    enalbe|\n"
            "+----------+\n"
            "|true/false|\n"
            "+----------+\n");
}

// But for one blank: the document's header "CreationTime " ends with one.
TEST(ResultTable, TheTableOfDataSyncIsDrawnWithItsLinesBetweenRows) {
  const ResultTable table{
      {"ID", "CreationTime", "State", "PipeExtractor", "PipeProcessor", "PipeConnector", "ExceptionMessage"},
      {{"iotdb-kafka", "2022-03-30T20:58:30.689", "RUNNING", "...", "...", "...", "None"},
       {"iotdb-iotdb", "2022-03-31T12:55:28.129", "STOPPED", "...", "...", "...", "TException: ..."}},
      {}};
  EXPECT_EQ(draw_table(table, RowLines::kBetween),
            "+-----------+-----------------------+-------+-------------+-------------+-------------+---------"
            "-------+\n"
            "|         ID|           CreationTime|  "
            "State|PipeExtractor|PipeProcessor|PipeConnector|ExceptionMessage|\n"
            "+-----------+-----------------------+-------+-------------+-------------+-------------+---------"
            "-------+\n"
            "|iotdb-kafka|2022-03-30T20:58:30.689|RUNNING|          ...|          ...|          ...|         "
            "   None|\n"
            "+-----------+-----------------------+-------+-------------+-------------+-------------+---------"
            "-------+\n"
            "|iotdb-iotdb|2022-03-31T12:55:28.129|STOPPED|          ...|          ...|          ...| "
            "TException: ...|\n"
            "+-----------+-----------------------+-------+-------------+-------------+-------------+---------"
            "-------+\n");
}

TEST(ResultTable, WideCharactersCountTwoCellsAndMarksNone) {
  EXPECT_EQ(draw_table({{"ID"}, {{"管道"}, {"e\u0301"}}, {}}),
            "+----+\n"
            "|  ID|\n"
            "+----+\n"
            "|管道|\n"
            "|   e\u0301|\n"
            "+----+\n");
}

TEST(ResultTable, AnEmptyTableKeepsItsHead) {
  EXPECT_EQ(draw_table({{"a"}, {}, {}}), "+-+\n|a|\n+-+\n+-+\n");
  EXPECT_EQ(draw_table({{"a"}, {}, {}}, RowLines::kBetween), "+-+\n|a|\n+-+\n+-+\n");
}

TEST(ResultTable, AMessageStandsBelowOrAlone) {
  EXPECT_EQ(draw_table({{}, {}, "The statement is executed successfully."}),
            "The statement is executed successfully.\n");
  EXPECT_EQ(draw_table({{"a"}, {{"1"}}, "one\ntwo"}), "+-+\n|a|\n+-+\n|1|\n+-+\none\ntwo\n");
}

TEST(ResultTable, NothingInACellReachesTheTerminalAsControl) {
  EXPECT_EQ(draw_table({{"a"}, {{"x\x1b[2J\ny\xff\u202E"}}, "m\x07"}),
            "+---------------------------+\n"
            "|                          a|\n"
            "+---------------------------+\n"
            "|x\\x1b[2J\\ny\\xff\\xe2\\x80\\xae|\n"
            "+---------------------------+\n"
            "m\\x07\n");
}

TEST(ResultTable, JsonHasColumnsRowsAndMessage) {
  EXPECT_EQ(table_json({{"a", "b"}, {{"1", "x\"y"}, {"管", "\n\xff"}}, "done"}),
            R"({"columns":["a","b"],"rows":[["1","x\"y"],["管","\\n\\xff"]],"message":"done"})");
  EXPECT_EQ(table_json({}), R"({"columns":[],"rows":[],"message":""})");
}

TEST(Utf8, OverlongFormsSurrogatesAndCodesBeyondTheLastAreBroken) {
  for (const char* broken : {"\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                             "\xF5\x80\x80\x80", "\xC3", "\x80", "\xE6\xB5"}) {
    EXPECT_EQ(find_broken_utf8("ok" + std::string(broken)), 2U) << broken;
  }
  EXPECT_EQ(find_broken_utf8("aé测😀\U0010FFFF"), std::string_view::npos);
}

}  // namespace
}  // namespace tidegate
