// SPDX-License-Identifier: Apache-2.0
// doc/connectors.md and its Chinese twin are the manual of the attributes: they name every connector and
// attribute, no other ones, with the names and defaults of the code.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "pipe/connect/builtin_connectors.h"

namespace tidegate {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAreArray;

struct Row {
  std::set<std::string> names;  // the first is the key of the map below
  std::string default_cell;
};
struct Section {
  std::string text;
  std::map<std::string, Row> rows;  // by the first name
};

// What stands in back-quotes, in order.
std::vector<std::string> code_words(const std::string& text) {
  static const std::regex code("`([^`]*)`");
  std::vector<std::string> out;
  for (std::sregex_iterator at(text.begin(), text.end(), code), end; at != end; ++at) out.push_back((*at)[1]);
  return out;
}

void add_line(Section* to, const std::string& line) {
  static const std::regex row(R"(\| (`.*?) \| .* \| (.*) \|)");
  to->text += line + "\n";
  std::smatch match;
  if (!std::regex_match(line, match, row)) return;
  const std::vector<std::string> names = code_words(match[1]);
  to->rows[names.front()] = {{names.begin(), names.end()}, match[2]};
}

class ConnectorsPage : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    std::ifstream file(std::string(TIDEGATE_SOURCE_DIR) + "/" + GetParam());
    std::string section;
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with("## ")) section = line.substr(3);
      if (!section.empty()) add_line(&sections_[section], line);
    }
  }
  std::map<std::string, Section> sections_;
};

TEST_P(ConnectorsPage, NamesEveryConnectorWithItsAliasesAndNoOther) {
  std::vector<std::string> names, on_page;
  for (const PluginInfo& info : connector_plugins()) {
    names.push_back(info.name);
    for (const std::string& alias : info.aliases)
      EXPECT_THAT(code_words(sections_[info.name].text), ::testing::Contains(alias)) << info.name;
  }
  for (const auto& [name, section] : sections_) on_page.push_back(name);
  EXPECT_THAT(on_page, UnorderedElementsAreArray(names));
}

TEST_P(ConnectorsPage, NamesEveryAttributeWithItsAliasesAndNoOther) {
  for (const PluginInfo& info : connector_plugins()) {
    std::map<std::string, std::set<std::string>> of_code, of_page;
    for (const AttributeSpec& spec : info.attributes) {
      of_code[spec.name] = {spec.aliases.begin(), spec.aliases.end()};
      of_code[spec.name].insert(spec.name);
    }
    for (const auto& [name, row] : sections_[info.name].rows) of_page[name] = row.names;
    EXPECT_EQ(of_page, of_code) << info.name;
  }
}

TEST_P(ConnectorsPage, NamesTheDefaultsOfTheCodeAndWhatIsRequired) {
  const std::string required = std::string(GetParam()).find("zh") == std::string::npos ? "required" : "必填";
  for (const PluginInfo& info : connector_plugins()) {
    for (const AttributeSpec& spec : info.attributes) {
      const std::string cell = sections_[info.name].rows[spec.name].default_cell;
      const std::string where = info.name + " " + spec.name;
      if (spec.required) {
        EXPECT_EQ(cell, required) << where;
      } else if (!spec.default_value.empty()) {
        EXPECT_EQ(cell, "`" + spec.default_value + "`") << where;
      } else {
        EXPECT_NE(cell, required) << where;
        EXPECT_FALSE(cell.empty() || cell.starts_with("`")) << where << ": the code has no such default";
      }
    }
  }
}

TEST_P(ConnectorsPage, NamesEveryChoice) {
  for (const PluginInfo& info : connector_plugins())
    for (const AttributeSpec& spec : info.attributes)
      for (const std::string& choice : spec.choices)
        EXPECT_THAT(sections_[info.name].text, HasSubstr("`" + choice + "`"))
            << info.name << " " << spec.name;
}

INSTANTIATE_TEST_SUITE_P(Languages, ConnectorsPage,
                         ::testing::Values("doc/connectors.md", "doc/zh/connectors.md"),
                         [](const auto& page) { return page.index == 0 ? "English" : "Chinese"; });

}  // namespace
}  // namespace tidegate
