// SPDX-License-Identifier: Apache-2.0
// Every sample statement of the documents: tests/statements/samples.tsv, whose head states the rules.
#include <algorithm>
#include <regex>

#include "pipe/statement/samples_for_tests.h"
#include "pipe/statement/split.h"
#include "pipe/statement/statement_for_tests.h"

namespace tidegate {
namespace {

using testing::HasSubstr;

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
}

// The rule in the head of the table, but for the prompt.
std::string substitute(std::string text, bool keep_optional) {
  for (const auto& [from, to] : std::initializer_list<std::pair<const char*, const char*>>{
           {"<PipeId>", "a2b"},
           {"<PipeName>", "my_pipe"},
           {"[PipeName]", "[my_pipe]"},
           {"<PipeSinkName>", "my_pipesink"},
           {"[PipeSinkName]", "[my_pipesink]"},
           {"There is your goal IP", "127.0.0.1"},
           {"yyyy-mm-dd HH:MM:SS", "2022-03-30 00:00:00"},
       }) {
    replace_all(text, from, to);
  }
  static const std::regex kOptional(R"(\[([^\]]*)\])");
  text = std::regex_replace(text, kOptional, keep_optional ? "$1" : "");
  text.erase(text.find_last_not_of(' ') + 1);
  return text;
}

std::string without_prompt(const std::string& text) {
  return std::regex_replace(text, std::regex("^(IoTDB|IOTDB)> "), "");
}

// Lines without the blanks around them: the documents indent their samples inside lists.
std::string flat(const std::string& text) {
  std::string out;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    const std::size_t from = line.find_first_not_of(' ');
    if (from == std::string::npos) continue;
    out += line.substr(from, line.find_last_not_of(' ') + 1 - from) + "\n";
  }
  return out;
}

TEST(SampleStatements, EachOneParsesToItsCanonicalFormOrBelongsToTheDatabase) {
  const auto all = samples();
  EXPECT_GE(all.size(), 40U);
  for (const Sample& sample : all) {
    if (sample.is_gateway) {
      EXPECT_EQ(outcome(sample.run, sample.dialect), sample.canonical) << sample.run;
    } else {
      EXPECT_EQ(outcome(sample.run, sample.dialect), sample.canonical);
      EXPECT_THAT(sample.canonical, HasSubstr("kUnsupported")) << sample.run;
    }
  }
}

TEST(SampleStatements, EachOneParsesAlsoWithThePromptInFrontAndInEitherDialect) {
  for (const Sample& sample : samples()) {
    for (const Dialect dialect : {Dialect::kDataSync, Dialect::kEdgeCloud}) {
      if (sample.is_gateway) {
        EXPECT_EQ(outcome("IoTDB> " + sample.run, dialect), sample.canonical);
      }
    }
  }
}

TEST(SampleStatements, WhatRunsIsWhatIsPrintedBesideThePlaceholders) {
  for (const Sample& sample : samples()) {
    const std::string bare = without_prompt(sample.printed);
    EXPECT_TRUE(sample.run == substitute(bare, true) || sample.run == substitute(bare, false)) << sample.run;
  }
}

TEST(SampleStatements, EachOneStandsInItsDocument) {
  for (const Sample& sample : samples()) {
    const std::filesystem::path path = document(sample.document);
    if (path.empty()) GTEST_SKIP() << "the documents are not here (TIDEGATE_SHARED)";
    std::string text = flat(read_text(path));
    EXPECT_THAT(text, HasSubstr(flat(sample.printed).substr(0, flat(sample.printed).size() - 1)));
  }
}

TEST(SampleStatements, NoStatementOfTheDocumentsIsLeftOut) {
  static const std::regex kStatement(
      R"(^ *((IoTDB|IOTDB)> *)?(create|alter|start|stop|drop|show|load|insert|select|grant|revoke|list) .*)",
      std::regex::icase);
  const auto all = samples();
  for (const char* number : {"000", "001"}) {
    const std::filesystem::path path = document(number);
    if (path.empty()) GTEST_SKIP() << "the documents are not here (TIDEGATE_SHARED)";
    std::istringstream file(read_text(path));
    bool in_block = false;
    int found = 0;
    for (std::string line; std::getline(file, line);) {
      if (flat(line).starts_with("```")) in_block = !in_block;
      if (!in_block || !std::regex_match(line, kStatement)) continue;
      ++found;
      EXPECT_TRUE(std::ranges::any_of(all, [&](const Sample& sample) {
        return sample.document == number && flat(sample.printed).starts_with(flat(line));
      })) << line;
    }
    EXPECT_GE(found, 12) << number;
  }
}

TEST(SampleStatements, AFileOfThemIsSplitIntoExactlyThem) {
  std::string file;
  std::vector<std::string> expected;
  for (const Sample& sample : samples()) {
    file += sample.run + "\n;\n";
    expected.push_back(sample.canonical);
  }
  const SplitResult split = split_statements(file);
  EXPECT_EQ(split.rest.text, "");
  std::vector<std::string> got;
  for (const StatementPiece& piece : split.complete) got.push_back(outcome(piece.text));
  // Where the sample brings its own ';', what is left of ours is no statement.
  EXPECT_EQ(got, expected);
}

}  // namespace
}  // namespace tidegate
