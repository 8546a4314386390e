// SPDX-License-Identifier: Apache-2.0
#include "base/yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/sim_env.h"

namespace tidegate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

class YamlTest : public testing::Test {
 protected:
  YamlMap read(std::string_view text) {
    auto file = YamlFile::parse(text, "x.yaml", &env_.files);
    EXPECT_TRUE(file.ok()) << file.error().text();
    file_ = std::move(*file);
    return file_->root();
  }
  static std::string refusal(std::string_view text) {
    const auto file = YamlFile::parse(text, "x.yaml");
    return file.ok() ? "accepted" : file.error().text();
  }
  // The errors of the file, each as "line:column: detail".
  std::vector<std::string> errors() {
    (void)file_->finish();
    std::vector<std::string> out;
    for (const Error& e : file_->errors()) {
      EXPECT_EQ(e.code, ErrorCode::kInvalidConfiguration);
      EXPECT_EQ(e.path, "x.yaml");
      out.push_back(std::to_string(e.line.value()) + ":" + std::to_string(e.column.value()) + ": " +
                    e.detail);
    }
    return out;
  }

  SimEnv env_;
  std::unique_ptr<YamlFile> file_;
};

TEST_F(YamlTest, EveryTypeIsRead) {
  enum class Mode { kSlow, kFast };
  YamlMap root = read(
      "name: a b\nport: 9999\nratio: 0.25\non: true\nwait: 1h30m\nsize: 64MiB\nspeed: 94Mbit/s\nmode: fast\n"
      "hosts: [a, b]\ninner: {deep: {x: 1}}\nitems:\n  - id: 1\n  - id: 2\nlabels: {k: v, l: w}\n");
  EXPECT_EQ(root.string("name"), "a b");
  EXPECT_EQ(root.integer("port", {1, 65535}), 9999);
  EXPECT_EQ(root.number("ratio", {0, 1}), 0.25);
  EXPECT_TRUE(root.boolean("on"));
  EXPECT_EQ(root.duration("wait"), 5400 * kSecond);
  EXPECT_EQ(root.bytes("size"), 64U << 20);
  EXPECT_EQ(root.rate("speed"), 94'000'000U / 8);
  EXPECT_EQ(root.one_of<Mode>("mode", {{"slow", Mode::kSlow}, {"fast", Mode::kFast}}), Mode::kFast);
  EXPECT_THAT(root.strings("hosts"), ElementsAre("a", "b"));
  EXPECT_EQ(root.map("inner").map("deep").integer("x"), 1);
  std::vector<std::int64_t> ids;
  for (YamlMap item : root.maps("items")) ids.push_back(item.integer("id"));
  EXPECT_THAT(ids, ElementsAre(1, 2));
  EXPECT_THAT(root.pairs("labels"), ElementsAre(Pair("k", "v"), Pair("l", "w")));
  EXPECT_TRUE(file_->finish().ok());
}

TEST_F(YamlTest, DefaultsStandForAbsentKeysAlsoInAbsentMaps) {
  YamlMap root = read("# nothing\nlogging:\n");
  EXPECT_EQ(root.map("logging").string("level", "info"), "info");
  EXPECT_EQ(root.map("disk").map("sync").duration("max", {}, 5 * kMillisecond), 5 * kMillisecond);
  EXPECT_TRUE(root.strings("hosts").empty());
  EXPECT_TRUE(file_->finish().ok());
}

TEST_F(YamlTest, AnUnknownKeyIsReportedWithTheNearestKnownOne) {
  YamlMap root = read("limit: 1\nlisen: x\n");
  root.integer("limit");
  root.string("listen", "y");
  EXPECT_THAT(errors(), ElementsAre("2:1: unknown key 'lisen', did you mean 'listen'?"));
}

TEST_F(YamlTest, AnUnknownKeyLikeNothingIsReportedWithWhatIsKnown) {
  YamlMap root = read("disk:\n  zzzzzz: 1\n");
  YamlMap disk = root.map("disk");
  disk.bytes("quota", {}, 1U);
  disk.bytes("reserve", {}, 1U);
  EXPECT_THAT(errors(), ElementsAre("2:3: unknown key 'zzzzzz' in 'disk'; known here: quota, reserve"));
}

TEST_F(YamlTest, AllErrorsOfAFileAreCollectedInItsOrder) {
  YamlMap root = read("mode: rapid\nport: 70000\non: yes\nport: 1\nsize: 5 parsecs\nlist: 3\nmap: [1]\n");
  root.string("missing");
  root.bytes("size");
  root.boolean("on");
  root.integer("port", {1, 65535});
  root.one_of<int>("mode", {{"slow", 1}, {"fast", 2}});
  root.strings("list");
  root.map("map");
  EXPECT_THAT(
      errors(),
      ElementsAre(
          "1:1: the key 'missing' is required: a text", "1:1: 'mode' must be one of slow, fast, not 'rapid'",
          "2:1: 'port' must be an integer from 1 to 65535, not '70000'",
          "3:1: 'on' must be true or false, not 'yes'", "4:1: the key 'port' stands twice, first in line 2",
          "5:1: 'size' must be a byte size like 500k, 1 MB or 64MiB, not '5 parsecs'",
          "6:1: 'list' must be a list of texts, not '3'", "7:1: 'map' must be a map, not a list"));
}

TEST_F(YamlTest, TheErrorOfAFileHoldsEveryLine) {
  YamlMap root = read("a: x\nb: y\n");
  root.integer("a");
  root.integer("b");
  const Status status = file_->finish();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().text(),
            "x.yaml:1:1: 'a' must be an integer, not 'x'\nx.yaml:2:1: 'b' must be an integer, not 'y': "
            "the configuration is refused");
}

TEST_F(YamlTest, AWrongKindOfItemIsReportedAtTheItem) {
  YamlMap root = read("hosts:\n  - a\n  - [b]\nsinks:\n  - x\n");
  root.strings("hosts");
  root.maps("sinks");
  EXPECT_THAT(errors(), ElementsAre("3:5: an item of 'hosts' must be a text, not a list",
                                    "5:5: 'sinks[0]' must be a map, not 'x'"));
}

TEST_F(YamlTest, AMapInAListIsNamedByItsIndex) {
  YamlMap root = read("sinks:\n  - host: a\n  - hots: b\n");
  for (YamlMap sink : root.maps("sinks")) sink.string("host");
  EXPECT_THAT(errors(), ElementsAre("3:5: the key 'sinks[1].host' is required: a text",
                                    "3:5: unknown key 'hots' in 'sinks[1]', did you mean 'host'?"));
}

TEST_F(YamlTest, AViolatedInequalityIsReportedAtItsKey) {
  YamlMap root = read("disk:\n  low: 9\n  high: 5\n");
  YamlMap disk = root.map("disk");
  if (disk.integer("low") >= disk.integer("high")) disk.violates("low", "must be less than high (5)");
  EXPECT_THAT(errors(), ElementsAre("2:3: 'disk.low' must be less than high (5)"));
}

TEST_F(YamlTest, AMapAskedForTwiceKnowsTheKeysOfBoth) {
  YamlMap root = read("m: {a: 1, b: 2}\n");
  root.map("m").integer("a");
  root.map("m").integer("b");
  EXPECT_TRUE(file_->finish().ok());
}

TEST_F(YamlTest, NumbersOutsideTheirRangeAreRefused) {
  YamlMap root = read("a: nan\nb: 99999999999999999999\nc: 10s\nd: -1s\ne: 1.5\n");
  root.number("a", {0, 1});
  root.integer("b");
  root.duration("c", {kMillisecond, 5 * kSecond});
  root.duration("d");
  root.integer("e");
  const auto all = errors();
  ASSERT_EQ(all.size(), 5U);
  EXPECT_EQ(all[2], "3:1: 'c' must be a duration like 250ms, 5s or 24h from 1ms to 5s, not '10s'");
  EXPECT_EQ(all[3], "4:1: 'd' must be a duration like 250ms, 5s or 24h, not '-1s'");
}

TEST_F(YamlTest, WhatIsNotOneMapIsRefusedWithItsPlace) {
  EXPECT_THAT(refusal("a: [1\nb: 2\n"), HasSubstr("x.yaml:1:5: a text must end on the line"));
  EXPECT_THAT(refusal("a: [1,\nb: {\n"), HasSubstr("x.yaml:"));
  EXPECT_THAT(refusal("- a\n"), HasSubstr("x.yaml:1:1: the file must hold a map, not a list"));
  EXPECT_THAT(refusal("a: 1\n---\nb: 2\n"), HasSubstr("one document"));
  EXPECT_THAT(refusal("a: &x 1\nb: *x\n"), HasSubstr("anchors are not allowed"));
  EXPECT_THAT(refusal("a: &x\nb: 1\n"), HasSubstr("anchors are not allowed"));
  EXPECT_THAT(refusal("b: *x\n"), HasSubstr("x.yaml:1:4"));
  EXPECT_THAT(refusal("a: !x 1\n"), HasSubstr("x.yaml:1:4: tags (!) are not allowed"));
  EXPECT_THAT(refusal("a: ! '1'\n"), HasSubstr("x.yaml:1:4: tags (!) are not allowed"));
  EXPECT_THAT(refusal("a: !!map {b: 1}\n"), HasSubstr("x.yaml:1:4: tags (!) are not allowed"));
  EXPECT_THAT(refusal("? [a]\n: 1\n"), HasSubstr("a key must be a plain word"));
  EXPECT_THAT(refusal("a: " + std::string(40, '[') + std::string(40, ']')), HasSubstr("nesting is too deep"));
}

TEST_F(YamlTest, ATextInQuotesEndsOnItsLine) {
  EXPECT_THAT(refusal("a: 1\nfolder: '/x/out\nquota: 1MB\n# it's swallowed\n"),
              HasSubstr("x.yaml:2:9: the quote (') is not closed on this line"));
  for (const auto* open :
       {"a: 'b\n c'\n", "a: \"b", "a: [b, 'c]\n", "{\"a\": \"b}", "- 'x\n", "'a: 1\n", "a: 'it''s\n",
        "a: \"b\\\"\n", "? \"a\n", "--- {a: 'b}", "a:\n  - - b\n  - - 'c\n"})
    EXPECT_THAT(refusal(open), HasSubstr("is not closed on this line")) << open;
}

TEST_F(YamlTest, QuotesInsideOfTextsAreNoQuotes) {
  YamlMap root = read(
      "\xEF\xBB\xBF# it's\r\na: it's \"so\r\nb: 'it''s, so'  # isn't it\r\nc: \"a \\\" b # c\"\nd: x, 'y\n"
      "e: [it's, 'a, b', \"c\"]\n\"f\": {\"g\":\"h\",\n  \"i\": [ \"j's\"\n]}\nk: x#'y\n");
  EXPECT_EQ(root.string("a"), "it's \"so");
  EXPECT_EQ(root.string("b"), "it's, so");
  EXPECT_EQ(root.string("c"), "a \" b # c");
  EXPECT_EQ(root.string("d"), "x, 'y");
  EXPECT_THAT(root.strings("e"), ElementsAre("it's", "a, b", "c"));
  EXPECT_EQ(root.map("f").string("g"), "h");
  EXPECT_THAT(root.map("f").strings("i"), ElementsAre("j's"));
  EXPECT_EQ(root.string("k"), "x#'y");
  EXPECT_TRUE(file_->finish().ok());
}

TEST_F(YamlTest, ATextOfSeveralLinesIsRefusedWhereItBegins) {
  EXPECT_THAT(refusal("a: 1\nb: x\n  y\n"), HasSubstr("x.yaml:2:4: a text must end on the line"));
  EXPECT_THAT(refusal("a: [x\nb c]\n"), HasSubstr("x.yaml:1:5: a text must end on the line"));
  EXPECT_THAT(refusal("a: |\n  'x\n"), HasSubstr("x.yaml:1:4: texts of several lines"));
  EXPECT_THAT(refusal("a: >-\n  x\n"), HasSubstr("x.yaml:1:4: texts of several lines"));
  EXPECT_EQ(refusal("a: x > y | z\nb: -1\nc: a\tb\n"), "accepted");
}

TEST_F(YamlTest, TabsControlCharactersDirectivesAndASecondDocumentAreRefusedInTheirPlace) {
  EXPECT_THAT(refusal("a:\n \tb: 1\n"), HasSubstr("x.yaml:2:2: a tab stands in the indentation"));
  EXPECT_THAT(refusal(std::string("a: b\0c\n", 7)), HasSubstr("x.yaml:1:5: a control character"));
  EXPECT_THAT(refusal("%YAML 1.1\n---\na: 1\n"), HasSubstr("x.yaml:1:1: directives"));
  EXPECT_THAT(refusal("a: 1\n\n---\nb: 2\n"), HasSubstr("x.yaml:3:1: a second document begins here"));
  EXPECT_THAT(refusal("---\na: 1\n---\n"), HasSubstr("x.yaml:3:1: a second document begins here"));
  EXPECT_THAT(refusal("a: 1\n...\nb: 2\n"), HasSubstr("one document"));
  EXPECT_EQ(refusal("# first\n---\na: 1  \t# tab\n\t\n\t# tab\n...\n"), "accepted");
}

TEST_F(YamlTest, AMissingFileIsNotFoundWithItsPath) {
  const auto file = YamlFile::load(env_.files, "/none.yaml");
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(file.error().path, "/none.yaml");
}

TEST_F(YamlTest, ASecretComesFromAFileTheEnvironmentOrACredential) {
  ASSERT_TRUE(env_.files.make_dirs("/run/creds").ok());
  ASSERT_TRUE(replace_file(env_.files, "/run/creds/token", as_bytes("from file\n")).ok());
  ::setenv("TIDEGATE_TEST_SECRET", "from env", 1);
  ::setenv("CREDENTIALS_DIRECTORY", "/run/creds", 1);
  YamlMap root =
      read("a: plain\nb: file:/run/creds/token\nc: env:TIDEGATE_TEST_SECRET\nd: credential:token\n");
  EXPECT_EQ(root.secret("a").reveal(), "plain");
  EXPECT_EQ(root.secret("b").reveal(), "from file");
  EXPECT_EQ(root.secret("c").reveal(), "from env");
  EXPECT_EQ(root.secret("d").reveal(), "from file");
  EXPECT_EQ(root.secret("a").text(), "******");
  EXPECT_TRUE(file_->finish().ok());
  ::unsetenv("CREDENTIALS_DIRECTORY");
}

TEST_F(YamlTest, ASecretIsReadAlsoWhereItStandsInNoFile) {
  ASSERT_TRUE(replace_file(env_.files, "/token", as_bytes("from file\n")).ok());
  EXPECT_EQ(read_secret(&env_.files, "file:/token").value(), "from file");
  EXPECT_EQ(read_secret(nullptr, "plain").value(), "plain");
  EXPECT_THAT(read_secret(&env_.files, "file:/none").error().text(), HasSubstr("/none"));
}

TEST_F(YamlTest, TheTextOfAKeyIsThereAsItStandsAndMakesItNoKnownOne) {
  YamlMap root = read("a: 0x10\nb: [1]\n");
  EXPECT_EQ(root.text("a"), "0x10");
  EXPECT_EQ(root.text("b"), std::nullopt);
  EXPECT_EQ(root.text("c"), std::nullopt);
  EXPECT_THAT(errors(), ElementsAre(HasSubstr("'a'"), HasSubstr("'b'")));
}

TEST_F(YamlTest, ASecretThatCannotBeReadIsReportedWithTheReason) {
  ::unsetenv("CREDENTIALS_DIRECTORY");
  YamlMap root = read("a: file:/none\nb: env:TIDEGATE_NO_SUCH\nc: credential:x\n");
  for (const auto* key : {"a", "b", "c"}) EXPECT_FALSE(root.secret(key).empty()) << "one mistake, not two";
  EXPECT_THAT(errors(), ElementsAre(HasSubstr("1:1: cannot read the secret 'a': /none"),
                                    HasSubstr("TIDEGATE_NO_SUCH"), HasSubstr("LoadCredential=")));
}

TEST_F(YamlTest, OutsideOfTheUnitACheckOnlyWarnsOfCredentials) {
  ::unsetenv("CREDENTIALS_DIRECTORY");
  const std::string text = "a: 1\nkeys:\n  - secret: credential:x\n  - secret: file:/none\n";
  auto file = YamlFile::parse(text, "x.yaml", &env_.files, YamlUse::kCheck);
  ASSERT_TRUE(file.ok());
  YamlMap root = (*file)->root();
  root.integer("a");
  for (YamlMap key : root.maps("keys")) EXPECT_FALSE(key.secret("secret").empty());
  EXPECT_THAT((*file)->warnings(),
              ElementsAre(HasSubstr("x.yaml:3:5: warning: 'keys[0].secret' is given by systemd")));
  EXPECT_THAT((*file)->finish().error().text(), HasSubstr("x.yaml:4:5: cannot read the secret"));
}

TEST(UnitsTest, DurationsAreReadAndShown) {
  EXPECT_EQ(parse_duration("250ms").value(), 250 * kMillisecond);
  EXPECT_EQ(parse_duration("1h 30m").value(), 5400 * kSecond);
  EXPECT_EQ(parse_duration("1.5 s").value(), 1500 * kMillisecond);
  EXPECT_EQ(parse_duration("0").value(), 0);
  for (const auto* bad : {"", "5", "s", "5 parsecs", "1..5s", "5s x", "-5s", "300000000000d", ".5s"}) {
    EXPECT_FALSE(parse_duration(bad).ok()) << bad;
  }
  EXPECT_EQ(show_duration(5400 * kSecond), "1h30m");
  EXPECT_EQ(show_duration(-250 * kMillisecond), "-250ms");
  EXPECT_EQ(show_duration(0), "0s");
}

TEST(UnitsTest, ByteSizesAreReadAndShown) {
  EXPECT_EQ(parse_byte_size("64MiB").value(), 64U << 20);
  EXPECT_EQ(parse_byte_size("1 MB").value(), 1'000'000U);
  EXPECT_EQ(parse_byte_size("500k").value(), 500'000U);
  EXPECT_EQ(parse_byte_size("1.5GiB").value(), 3ULL << 29);
  EXPECT_EQ(parse_byte_size("4096").value(), 4096U);
  for (const auto* bad : {"", "MiB", "-1", "1 XB", "1e3", "99999999TiB"})
    EXPECT_FALSE(parse_byte_size(bad).ok()) << bad;
  EXPECT_EQ(show_byte_size(64U << 20), "64 MiB");
  EXPECT_EQ(show_byte_size(1500), "1500 B");
}

TEST(UnitsTest, RatesAreBytesPerSecond) {
  EXPECT_EQ(parse_rate("94Mbit/s").value(), 11'750'000U);
  EXPECT_EQ(parse_rate("12 MB/s").value(), 12'000'000U);
  EXPECT_EQ(parse_rate("1MiB/s").value(), 1U << 20);
  EXPECT_EQ(parse_rate("0").value(), 0U);
  for (const auto* bad : {"", "94", "94Mbit", "/s", "12/s", "94Mbps"})
    EXPECT_FALSE(parse_rate(bad).ok()) << bad;
}

}  // namespace
}  // namespace tidegate
