// SPDX-License-Identifier: Apache-2.0
#include "pipe/statement/print.h"

#include <algorithm>
#include <random>

#include "pipe/statement/lexer.h"
#include "pipe/statement/statement_for_tests.h"

namespace tidegate {
namespace {

using testing::HasSubstr;
using testing::Not;

// Random statements of every kind, from a seed that a failure prints.
class Maker {
 public:
  explicit Maker(unsigned seed) : random_(seed) {}

  Statement statement() {
    switch (below(std::variant_size_v<Statement>)) {
      case 0:
        return create_pipe();
      case 1:
        return alter_pipe();
      case 2:
        return StartPipe{name(), coin()};
      case 3:
        return StopPipe{name(), coin()};
      case 4:
        return DropPipe{name(), coin()};
      case 5:
        return coin() ? ShowPipes{name(), {}} : ShowPipes{{}, name()};
      case 6:
        return ShowPipePlugins();
      case 7:
        return CreatePipePlugin{name(), coin(), text(), coin() ? std::optional(text()) : std::nullopt};
      case 8:
        return DropPipePlugin{name(), coin()};
      case 9:
        return create_sink();
      case 10:
        return coin() ? Statement(ShowPipeSinkTypes()) : ShowPipeServer();
      case 11:
        return coin() ? ShowPipeSinks{name()} : ShowPipeSinks();
      case 12:
        return DropPipeSink{name()};
      case 13:
        return create_pipe_to();
      case 14:
        return coin() ? Statement(StartPipeServer()) : StopPipeServer();
      case 15:
        return LoadConfiguration();
      case 16:
        return CreateUser{name(), coin() ? std::optional(text()) : std::nullopt};
      case 17:
        return coin() ? Statement(DropUser{name()}) : ListPrivileges{name()};
      case 18:
        return ListUsers();
      case 19:
        return coin() ? SelectLogs{random_()} : SelectLogs();
      default:
        return ChangePrivileges{coin(), privileges(), name()};
    }
  }

 private:
  std::size_t below(std::size_t end) { return random_() % end; }
  bool coin() { return below(2) == 0; }

  // Any text that a parser can have read: no odd backslash at the end.
  std::string text() {
    static const std::string kPieces[] = {"a", "Z",  "0", "'",  "\"", "`",   "\\\\", "\\'",
                                          " ", "\n", ";", "--", "/*", "测",  "，",   "=",
                                          "(", ")",  "é", "😀", "\t", "\x1b"};
    std::string out;
    for (std::size_t i = below(8); i > 0; --i) out += kPieces[below(std::size(kPieces))];
    return out;
  }
  Name name() {
    static const std::string kNames[] = {"a2b", "pipe", "TO",  "if", "iotdb-kafka",
                                         "1",   "管道", "x.y", "_",  "with"};
    if (coin()) return {kNames[below(std::size(kNames))], {}};
    std::string out = text();
    std::erase(out, '\\');
    return {out.empty() ? "p" : out, {}};
  }
  Clause clause(bool needs_plugin) {
    Clause out;
    const auto keep = [&](const std::string& key) { out.marks.emplace(key, Mark()); };
    if (needs_plugin || coin()) out.attributes.plugin = "p" + fold_name(text());
    if (!out.attributes.plugin.empty()) keep("");
    for (std::size_t i = below(4); i > 0; --i) {
      const std::string key = "k" + fold_name(text());
      if (out.attributes.values.emplace(key, text()).second) keep(key);
    }
    return out;
  }
  CreatePipe create_pipe() { return {name(), coin(), clause(false), clause(false), clause(true)}; }
  AlterPipe alter_pipe() {
    AlterPipe out{name(), coin(), {}};
    for (const PluginKind kind : {PluginKind::kProcessor, PluginKind::kExtractor, PluginKind::kConnector}) {
      if (!out.changes.empty() && coin()) continue;
      out.changes.push_back(
          {kind, coin() ? AlterPipe::Mode::kModify : AlterPipe::Mode::kReplace, clause(false)});
    }
    return out;
  }
  CreatePipeSink create_sink() {
    CreatePipeSink out{name(), name(), {}};
    if (coin()) out.attributes.emplace("ip", SinkAttribute{{}, text()});
    if (coin()) out.attributes.emplace("port", SinkAttribute{{}, std::to_string(below(70000))});
    if (coin()) out.attributes.emplace("k" + fold_name(text()), SinkAttribute{{}, text()});
    return out;
  }
  CreatePipeTo create_pipe_to() {
    CreatePipeTo out{name(), coin(), name(), {}, {}};
    if (coin()) out.start = StartTime{coin() ? "2022-03-30 00:00:00" : "-17", coin(), {}};
    if (coin()) out.sync_del_op = coin();
    return out;
  }
  std::vector<Privilege> privileges() {
    std::vector<Privilege> out = {static_cast<Privilege>(below(3))};
    if (coin()) out.push_back(Privilege::kDropPipe);
    if (coin()) out.push_back(Privilege::kShowPipes);
    return out;
  }

  std::mt19937 random_;
};

TEST(PrintStatement, WhatIsPrintedIsReadBackAsTheSame) {
  for (unsigned seed = 0; seed < 4000; ++seed) {
    const Statement made = Maker(seed).statement();
    const std::string text = print_statement(made);
    for (const Dialect dialect : {Dialect::kDataSync, Dialect::kEdgeCloud}) {
      const auto back = parse_statement(text, dialect);
      ASSERT_TRUE(back.ok()) << "seed " << seed << "\n" << explain_error(text, back.error());
      ASSERT_EQ(*back, made) << "seed " << seed << "\n" << text;
    }
  }
}

const PluginInfo* thrift(PluginKind kind, std::string_view name) {
  static const PluginInfo info = thrift_plugin();
  const bool known = kind == info.kind && (name == info.name || name == info.aliases[0]);
  return known ? &info : nullptr;
}

TEST(PrintMasked, SecretsOfKnownAndUnknownPluginsAreHidden) {
  const Statement known =
      parsed("create pipe p with sink ('sink'='iotdb-thrift-connector','sink.pin'='1234','ip'='h')");
  EXPECT_EQ(print_masked(known, thrift),
            "CREATE PIPE p WITH CONNECTOR ('connector'='iotdb-thrift-connector', 'connector.ip'='h', "
            "'connector.pin'='******')");
  EXPECT_THAT(print_statement(known), HasSubstr("1234"));
  const Statement unknown = parsed(
      "create pipe p with source ('source'='x','source.auth-token'='s3cret') with sink "
      "('sink'='y','sink.proxy.Password'='s3cret','sink.user'='root')");
  EXPECT_THAT(print_masked(unknown), Not(HasSubstr("s3cret")));
  EXPECT_THAT(print_masked(unknown), HasSubstr("'connector.user'='root'"));
  EXPECT_EQ(print_masked(parsed("create user u 's3cret'")), "CREATE USER u '******'");
}

TEST(PrintMasked, TheSecretsOfEveryProcessorOfAChainAreHidden) {
  const PluginInfo mask{
      .kind = PluginKind::kProcessor, .name = "mask", .attributes = {{.name = "salt", .secret = true}}};
  const auto lookup = [&](PluginKind, std::string_view name) { return name == "mask" ? &mask : nullptr; };
  const Statement pipe = parsed(
      "create pipe p with processor ('processor'='first, mask#2','mask#2.salt'='s3cret') with sink "
      "('sink'='x')");
  EXPECT_THAT(print_masked(pipe, lookup), Not(HasSubstr("s3cret")));
}

TEST(PrintAttributes, AColumnOfShowPipesHidesSecretsToo) {
  const Attributes attributes{"iotdb-thrift-connector", {{"ip", "h"}, {"pin", "1"}, {"password", "2"}}};
  EXPECT_EQ(
      print_attributes(PluginKind::kConnector, attributes, thrift),
      "{connector=iotdb-thrift-connector, connector.ip=h, connector.password=******, connector.pin=******}");
  EXPECT_EQ(print_attributes(PluginKind::kProcessor, {}), "{}");
}

TEST(PrintAttributes, ASinkIsShownAsTheDocumentShowsIt) {
  const auto sink = std::get<CreatePipeSink>(parsed("create pipesink s as IoTDB (IP='127.0.0.1',port=6670)"));
  EXPECT_EQ(print_sink_attributes(sink.attributes), "ip='127.0.0.1',port=6670");
}

TEST(MaskSource, WhatCannotBeParsedStillHidesItsSecrets) {
  EXPECT_EQ(mask_source("create pipe p wiht sink ('sink.password' = 's3cret', 'ip'='h'"),
            "create pipe p wiht sink ('sink.password' = '******', 'ip'='h'");
  EXPECT_EQ(mask_source("craete user u 's3cret' now"), "craete user u '******' now");
  EXPECT_EQ(mask_source("create pipe p ('password'=s3cret)"), "create pipe p ('password'='******')");
  EXPECT_EQ(mask_source("create user u 's3cret"), "create user u '******'");
  EXPECT_EQ(mask_source("show pipes"), "show pipes");
}

TEST(QuoteName, IsBareOnlyWhereIoTDBReadsItSo) {
  EXPECT_EQ(quote_name("a_1"), "a_1");
  EXPECT_EQ(quote_name("管道"), "管道");
  EXPECT_EQ(quote_name("1a"), "`1a`");
  EXPECT_EQ(quote_name("a-b"), "`a-b`");
  EXPECT_EQ(quote_name("Pipe"), "`Pipe`");
  EXPECT_EQ(quote_name("a`b"), "`a``b`");
}

}  // namespace
}  // namespace tidegate
