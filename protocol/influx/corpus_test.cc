// SPDX-License-Identifier: Apache-2.0
// The public line-protocol corpus against both dialects. The standard dialect must agree with every case; the
// V1 dialect differs where the servers differ, in the counted classes below and nowhere else.
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json/src.hpp>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include "protocol/influx/parse_for_test.h"

namespace tidegate::influx {
namespace {

namespace json = boost::json;

std::string corpus_path() {
  const char* shared = std::getenv("TIDEGATE_SHARED");
  const std::string folder = shared != nullptr ? shared : TIDEGATE_SOURCE_DIR "/../shared";
  return folder + "/data/line-protocol-corpus.json";
}

std::string base64(std::string_view text) {
  static constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  std::uint32_t bits = 0;
  int have = 0;
  for (const char c : text) {
    if (c == '=') break;
    bits = bits << 6 | static_cast<std::uint32_t>(kAlphabet.find(c));
    have += 6;
    if (have < 8) continue;
    have -= 8;
    out.push_back(static_cast<char>(bits >> have & 0xFF));
  }
  return out;
}

std::string text_of(const json::value& value) {
  if (value.is_string()) return std::string(value.as_string());
  return base64(value.at("binary").as_string());
}

template <class T>
T number_of(const json::value& value) {
  return value.is_string() ? static_cast<T>(std::stod(std::string(value.as_string()))) : value.to_number<T>();
}

// The corpus does not tell -0 from 0, and its reader is off by a bit in the last place: compared are 15
// digits.
double rounded(double value) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.15g", value);
  return std::strtod(text, nullptr) + 0.0;
}

std::string show_value(const json::value& value) {
  const auto& [kind, content] = *value.as_object().begin();
  if (kind == "float") return testing::show(FieldValue(rounded(number_of<double>(content))));
  if (kind == "int") return testing::show(FieldValue(content.to_number<std::int64_t>()));
  if (kind == "uint") return testing::show(FieldValue(content.to_number<std::uint64_t>()));
  if (kind == "bool") return testing::show(FieldValue(content.as_bool()));
  return "string:" + (kind == "string" ? std::string(content.as_string()) : base64(content.as_string()));
}

std::string show_point(const json::value& point) {
  std::string out = text_of(point.at("name")) + "{";
  std::map<std::string, std::string> tags;
  for (const json::value& tag : point.at("tags").as_array())
    tags[text_of(tag.at("key"))] = text_of(tag.at("value"));
  for (const auto& [key, value] : tags) out += (out.back() == '{' ? "" : ",") + key + "=" + value;
  out += "}";
  char separator = ' ';
  for (const json::value& field : point.at("fields").as_array()) {
    out += separator + text_of(field.at("key")) + "=" + show_value(field.at("value"));
    separator = ',';
  }
  return out + " @" + std::to_string(point.at("time").to_number<std::int64_t>());
}

struct Case {
  std::string id;
  std::string text;
  std::int64_t default_time = 0;
  Precision precision;
  bool accepted = false;
  std::string points;  // one per line; the default time stands where the line has none
  std::string error;
};

Case read_case(std::string_view id, const json::value& value) {
  Case out;
  out.id = id;
  const json::value& input = value.at("input");
  out.text = text_of(input.at("text"));
  const std::string_view precision = input.at("precision").as_string();
  out.precision = precision == "1µs" ? Precision{Unit::kMicrosecond}
                                     : parse_precision(Api::kV2, precision.substr(1)).value();
  const std::int64_t unit_ns = nanoseconds_per(out.precision.unit);
  out.default_time = input.at("defaultTime").to_number<std::int64_t>() / unit_ns * unit_ns;
  const json::object& output = value.at("output").as_object();
  out.accepted = output.contains("result");
  if (!out.accepted) return out.error = std::string(output.at("error").as_string()), out;
  for (const json::value& point : output.at("result").as_array()) out.points += show_point(point) + "\n";
  return out;
}

std::vector<Case> load_corpus() {
  std::ifstream file(corpus_path());
  if (!file) return {};
  std::stringstream text;
  text << file.rdbuf();
  json::parse_options options;
  options.allow_invalid_utf8 = true;
  std::vector<Case> out;
  const json::value corpus = json::parse(text.str(), {}, options);
  for (const auto& [id, value] : corpus.at("decode").as_object()) out.push_back(read_case(id, value));
  return out;
}

struct Answer {
  bool accepted = false;
  std::string points;
  std::string error;
};

Answer answer_of(Dialect dialect, const Case& test) {
  ParserOptions options;
  options.dialect = dialect;
  options.precision = test.precision;
  options.keep_unit = false;
  LineParser parser(options);
  parser.feed(test.text);
  parser.finish();
  Answer out;
  for (auto step = parser.next(); step != LineParser::Step::kEnd; step = parser.next()) {
    if (step == LineParser::Step::kError) return {false, {}, parser.error().reason};
    Point point = parser.point();
    if (!point.time) point.time = test.default_time;
    for (Field& field : point.fields)
      if (double* number = std::get_if<double>(&field.value)) *number = rounded(*number);
    out.points += testing::show(point) + "\n";
  }
  out.accepted = true;
  return out;
}

class Corpus : public ::testing::Test {
 protected:
  void SetUp() override {
    if (cases().empty()) GTEST_SKIP() << "no corpus at " << corpus_path() << " (set TIDEGATE_SHARED)";
  }
  static const std::vector<Case>& cases() {
    static const std::vector<Case> all = load_corpus();
    return all;
  }
};

TEST_F(Corpus, TheStandardDialectAgreesWithEveryCase) {
  std::size_t accepted = 0;
  for (const Case& test : cases()) {
    const Answer answer = answer_of(Dialect::kStandard, test);
    EXPECT_EQ(answer.accepted, test.accepted)
        << test.id << ": " << test.text << "\nours: " << answer.error << "\ncorpus: " << test.error;
    if (!answer.accepted || !test.accepted) continue;
    ++accepted;
    EXPECT_EQ(answer.points, test.points) << test.id << ": " << test.text;
  }
  EXPECT_EQ(cases().size(), 4630U);
  EXPECT_EQ(accepted, 277U);
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return c != '\n' && c >= 0 && c < 0x20; });
}

// Why V1 differs from the corpus in this case.
std::string_view difference_class(const Case& test, const Answer& answer) {
  const auto corpus_says = [&](std::string_view words) {
    return test.error.find(words) != std::string::npos;
  };
  if (test.accepted && answer.accepted) return "keeps \\n \\r \\t in strings as two characters";
  if (test.accepted)
    return test.text.find('\r') != std::string::npos ? "refuses CRLF" : "unexplained refusal";
  if (corpus_says("invalid utf-8")) return "takes broken UTF-8 in values";
  if (corpus_says("'\\t' found at start of measurement")) return "skips a tab before the measurement";
  return has_control(test.text) ? "takes control characters in names" : "unexplained acceptance";
}

TEST_F(Corpus, TheV1DialectDiffersInTheCountedClassesOnly) {
  std::map<std::string_view, std::vector<std::string>> differences;
  for (const Case& test : cases()) {
    const Answer answer = answer_of(Dialect::kV1, test);
    if (answer.accepted == test.accepted && (!answer.accepted || answer.points == test.points)) continue;
    differences[difference_class(test, answer)].push_back(test.text + " -> " + answer.points + answer.error);
  }
  const std::map<std::string_view, std::size_t> expected = {
      {"keeps \\n \\r \\t in strings as two characters", 3},
      {"refuses CRLF", 4},
      {"takes broken UTF-8 in values", 2},
      {"skips a tab before the measurement", 3},
      {"takes control characters in names", 18},
  };
  for (const auto& [name, lines] : differences) {
    const auto known = expected.find(name);
    EXPECT_EQ(lines.size(), known == expected.end() ? 0 : known->second) << name << ":\n"
                                                                         << ::testing::PrintToString(lines);
  }
  EXPECT_EQ(differences.size(), expected.size());
}

}  // namespace
}  // namespace tidegate::influx
