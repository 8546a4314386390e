// SPDX-License-Identifier: Apache-2.0
#include "pipe/statement/parser.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "pipe/statement/lexer.h"
#include "pipe/statement/statement_for_tests.h"

namespace tidegate {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::StartsWith;

const std::string kSink = "WITH CONNECTOR ('connector'='x')";

// ---- what is accepted

TEST(Parser, ClausesComeInAnyOrderAndSynonymsAreOneThing) {
  const auto pipe = std::get<CreatePipe>(
      parsed("create pipe if not exists P with sink ('SINK'='A-Connector','sink.IP'='h') "
             "WITH processor ('processor'='do-nothing-processor') with source ('source.Pattern'='root.x')"));
  EXPECT_EQ(pipe.pipe.text, "P");
  EXPECT_TRUE(pipe.if_not_exists);
  EXPECT_EQ(pipe.connector.attributes.plugin, "a-connector");
  EXPECT_THAT(pipe.connector.attributes.values, ElementsAre(Pair("ip", "h")));
  EXPECT_THAT(pipe.extractor.attributes.values, ElementsAre(Pair("pattern", "root.x")));
  EXPECT_EQ(pipe.processor.attributes.plugin, "do-nothing-processor");
}

TEST(Parser, AttributesNeedNoPrefix) {
  const auto pipe = std::get<CreatePipe>(parsed("create pipe p with connector ('connector'='x','ip'='h')"));
  EXPECT_THAT(pipe.connector.attributes.values, ElementsAre(Pair("ip", "h")));
}

TEST(Parser, EveryStatementHasItsCanonicalForm) {
  for (const auto& [text, canonical] : std::initializer_list<std::pair<const char*, const char*>>{
           {"alter pipe if exists p modify sink ('sink.ip'='h') replace source ()",
            "ALTER PIPE IF EXISTS p MODIFY CONNECTOR ('connector.ip'='h') REPLACE EXTRACTOR ()"},
           {"start pipe if exists p", "START PIPE IF EXISTS p"},
           {"drop pipe if exists `a b`;", "DROP PIPE IF EXISTS `a b`"},
           {"show pipe", "SHOW PIPES"},
           {"show pipes where sink used by p", "SHOW PIPES WHERE CONNECTOR USED BY p"},
           {"create pipeplugin if not exists p as 'org.x.Y' using uri 'file:///x.so'",
            "CREATE PIPEPLUGIN IF NOT EXISTS p AS 'org.x.Y' USING URI 'file:///x.so'"},
           {"create pipeplugin p as \"Y\" using 'u'", "CREATE PIPEPLUGIN p AS 'Y' USING URI 'u'"},
           {"drop pipeplugin if exists p", "DROP PIPEPLUGIN IF EXISTS p"},
           {"show pipeserver", "SHOW PIPESERVER STATUS"},
           {"create pipe p to s from (((select ** from root)))", "CREATE PIPE p TO s"},
           {"create pipe p to s from (select ** from root where time > -5) with SYNCDELOP='False'",
            "CREATE PIPE p TO s FROM (SELECT ** FROM root WHERE time > '-5') WITH SyncDelOp=false"},
           {"create pipe p to s from (select ** from root where time >= 2022-03-30T00:00:00.5+08:00)",
            "CREATE PIPE p TO s FROM (SELECT ** FROM root WHERE time >= '2022-03-30T00:00:00.5+08:00')"},
           {"create pipesink s as iotdb (IP=10.0.0.1; port='6670';)",
            "CREATE PIPESINK s AS iotdb (ip='10.0.0.1', port=6670)"},
           {"create user u 'p''w'", "CREATE USER u 'p''w'"},
           {"create user u", "CREATE USER u"},
           {"drop user u", "DROP USER u"},
           {"list user", "LIST USER"},
           {"grant show_pipes, create_pipe,SHOW_PIPES on root.** to user u",
            "GRANT CREATE_PIPE, SHOW_PIPES TO USER u"},
           {"grant user u privileges start_pipe on root.**", "GRANT START_PIPE TO USER u"},
           {"grant all to user u",
            "GRANT CREATE_PIPE, START_PIPE, STOP_PIPE, DROP_PIPE, SHOW_PIPES TO USER u"},
           {"revoke stop_pipe from user u", "REVOKE STOP_PIPE FROM USER u"},
           {"revoke user u privileges stop_pipe", "REVOKE STOP_PIPE FROM USER u"},
           {"list privileges of user u", "LIST PRIVILEGES OF USER u"},
           {"list privileges user u on root.**", "LIST PRIVILEGES OF USER u"},
           {"select * from processing_engine_logs", "SELECT * FROM system.processing_engine_logs"},
           {"select * from system.processing_engine_logs limit 10;;",
            "SELECT * FROM system.processing_engine_logs LIMIT 10"},
       }) {
    EXPECT_EQ(outcome(text), canonical);
    EXPECT_EQ(outcome(text, Dialect::kEdgeCloud), canonical);
  }
}

TEST(Parser, TheTrapsOfTheDocumentsAreAccepted) {
  EXPECT_EQ(outcome("IoTDB> show pipes"), "SHOW PIPES");
  EXPECT_EQ(outcome("  IOTDB>show\ntidegate> pipes -- all of them\n;"), "SHOW PIPES");
  EXPECT_EQ(outcome("/* a; 'b */ show /**/ pipes"), "SHOW PIPES");
  EXPECT_EQ(outcome("create pipe p with connector ('connector'='x'，'ip'='h',)"),
            "CREATE PIPE p WITH CONNECTOR ('connector'='x', 'connector.ip'='h')");
  EXPECT_EQ(outcome("create pipe p with connector ('connector'='x';);"), "CREATE PIPE p " + kSink);
  EXPECT_EQ(outcome("\xEF\xBB\xBFshow\u3000pipes\u00A0;"), "SHOW PIPES");
}

TEST(Parser, NamesAreThoseOfIoTDBAndMayHaveDashes) {
  EXPECT_EQ(outcome("start pipe iotdb-kafka"), "START PIPE `iotdb-kafka`");
  EXPECT_EQ(outcome("start pipe 管道_1"), "START PIPE 管道_1");
  EXPECT_EQ(outcome("start pipe `a``b c`"), "START PIPE `a``b c`");
  EXPECT_EQ(outcome("start pipe 1st-pipe"), "START PIPE `1st-pipe`");
  EXPECT_EQ(outcome("start pipe if"), "START PIPE `if`");
  EXPECT_EQ(outcome("create pipe to to to"), "CREATE PIPE `to` TO `to`");
  EXPECT_EQ(outcome("start pipe a--b"), "START PIPE a");
  EXPECT_THAT(outcome("start pipe 12"), StartsWith("1:12 kMalformed expected IF or the name of a pipe"));
  EXPECT_THAT(outcome("start pipe ``"), StartsWith("1:12 kMalformed an empty name"));
  EXPECT_THAT(outcome("start pipe 'a'"), StartsWith("1:12 kMalformed expected IF"));
}

TEST(Parser, TextsFollowTheRulesOfIoTDB) {
  const auto value = [](const std::string& written) {
    const auto pipe =
        std::get<CreatePipe>(parsed("create pipe p with connector ('connector'='x','v'=" + written + ")"));
    return pipe.connector.attributes.values.at("v");
  };
  EXPECT_EQ(value(R"('it''s')"), "it's");
  EXPECT_EQ(value(R"("say ""hi""")"), "say \"hi\"");
  EXPECT_EQ(value(R"('a "b" c')"), "a \"b\" c");
  EXPECT_EQ(value(R"('C:\new\dir')"), R"(C:\new\dir)");
  EXPECT_EQ(value(R"('a\'b')"), R"(a\'b)");
  EXPECT_EQ(value("'--no /*comment*/ ;'"), "--no /*comment*/ ;");
  EXPECT_EQ(value("'测，点'"), "测，点");
  EXPECT_EQ(value("''"), "");
}

// ---- what is refused, and with which words

TEST(Parser, AnErrorNamesPlaceExpectationAndNearestKeyword) {
  EXPECT_EQ(outcome("create pipe a2b wiht connector ('connector'='x')"),
            "1:17 kMalformed expected WITH or TO, found 'wiht', did you mean WITH?");
  EXPECT_EQ(
      outcome("create pipe a2b", Dialect::kEdgeCloud),
      "1:16 kMalformed expected TO or WITH, found the end of the statement: a pipe needs WITH CONNECTOR "
      "('connector'='...', ...)");
  EXPECT_EQ(
      outcome("shwo pipes"),
      "1:1 kMalformed expected CREATE, ALTER, START, STOP, DROP, SHOW, LOAD, GRANT, REVOKE, LIST or SELECT, "
      "found 'shwo', did you mean SHOW?");
  EXPECT_EQ(outcome("show pipes\n where conector used by p"),
            "2:8 kMalformed expected CONNECTOR or SINK, found 'conector', did you mean CONNECTOR?");
  EXPECT_EQ(outcome("show pipes now"),
            "1:12 kMalformed expected WHERE, ';' or the end of the statement, found 'now'");
  EXPECT_EQ(outcome("grant crate_pipe to user u"),
            "1:7 kMalformed expected USER, CREATE_PIPE, START_PIPE, STOP_PIPE, DROP_PIPE, SHOW_PIPES, ALL or "
            "USE_PIPE, found 'crate_pipe', did you mean CREATE_PIPE?");
  EXPECT_THAT(outcome(""), HasSubstr("found the end of the statement"));
  EXPECT_THAT(outcome("show pipes; show pipes"), HasSubstr("1:13 kMalformed expected ';' or the end"));
}

TEST(Parser, ErrorsInsideAClauseSayWhatIsMissing) {
  const auto of = [](const std::string& inside) {
    return outcome("create pipe p with connector (" + inside);
  };
  EXPECT_EQ(of("'connector'='x' 'ip'='y')"), "1:47 kMalformed expected ',' or ')', found ''ip''");
  EXPECT_EQ(of("'connector' 'x')"), "1:43 kMalformed expected '=', found ''x''");
  EXPECT_EQ(of("'connector'=x)"),
            "1:43 kMalformed expected a value in quotes, found 'x': values stand in quotes");
  EXPECT_EQ(of("'port'=6667)"),
            "1:38 kMalformed expected a value in quotes, found '6667': values stand in quotes");
  EXPECT_EQ(of("connector='x')"),
            "1:31 kMalformed expected the name of an attribute in quotes or ')', found 'connector'");
  EXPECT_EQ(of("'connector'='x"), "1:43 kMalformed a text in quotes without its end begins here");
  EXPECT_EQ(of("'ip'='h')"),
            "1:20 kInvalidArgument the connector clause names no plugin: add 'connector'='...'");
  EXPECT_EQ(of("'connector'='')"), "1:31 kInvalidArgument the name of the plugin is empty");
  EXPECT_EQ(of("'extractor.pattern'='root')"),
            "1:31 kInvalidArgument 'extractor.pattern' belongs to the extractor clause, not to the connector "
            "clause");
  EXPECT_EQ(of("'sink.'='root')"), "1:31 kInvalidArgument an attribute without a name behind its prefix");
}

TEST(Parser, AnAttributeGivenTwiceIsRefusedWithBothPlaces) {
  EXPECT_EQ(outcome("create pipe p with sink ('sink'='x',\n 'Sink.IP'='a', 'connector.ip'='b')"),
            "2:17 kInvalidArgument the attribute 'connector.ip' is given twice: first in line 2, column 2");
  EXPECT_EQ(outcome("create pipe p with sink ('sink'='x', 'connector'='y')"),
            "1:38 kInvalidArgument the attribute 'connector' is given twice: first in line 1, column 26");
  EXPECT_EQ(outcome("create pipe p " + kSink + " with sink ('sink'='y')"),
            "1:53 kInvalidArgument a second connector clause: the first stands in line 1, column 20");
  EXPECT_THAT(outcome("alter pipe p modify sink () replace connector ()"), HasSubstr("is changed twice"));
  EXPECT_THAT(outcome("create pipesink s as IoTDB (ip='a', IP='b')"), HasSubstr("is given twice"));
}

TEST(Parser, StatementsOfTheDatabaseGetADistinctAnswer) {
  for (const char* text :
       {"INSERT INTO root.db.d(time, m) values (1, 1)", "SELECT ** FROM root", "select a, b from root.x",
        "select * from root.x limit 5", "delete from root.x", "create database root.db",
        "create timeseries root.a.b with datatype=INT32", "show timeseries root.**", "show databases",
        "drop database root.db", "set ttl to root.db 1000", "count devices", "grant role r to u",
        "grant READ_DATA on root.** to user u", "load 'a.tsfile'", "flush"}) {
    EXPECT_THAT(outcome(text),
                AllOf(HasSubstr("kUnsupported"), HasSubstr("to the database, not to the gateway")))
        << text;
  }
  EXPECT_EQ(
      outcome("create database root.db"),
      "1:8 kUnsupported CREATE DATABASE belongs to the database, not to the gateway: send it to the database "
      "itself");
}

TEST(Parser, ValuesThatCannotBeAreRefusedWhereTheyStand) {
  EXPECT_THAT(outcome("create pipe p to s from (select ** from root where time>='2022-02-30')"),
              AllOf(StartsWith("1:58 kInvalidArgument"), HasSubstr("the day of this month from 1 to 28")));
  EXPECT_THAT(outcome("create pipe p to s from (select ** from root where time<=5)"), HasSubstr("no end"));
  EXPECT_THAT(outcome("create pipe p to s from (select a from root)"),
              HasSubstr("sends every series, SELECT **"));
  EXPECT_THAT(outcome("create pipe p to s with SyncDelOp=maybe"),
              HasSubstr("1:35 kMalformed expected true or false, found 'maybe'"));
  EXPECT_THAT(outcome("grant create_pipe on root.db to user u"), HasSubstr("do not depend on a path"));
  EXPECT_THAT(outcome("select * from processing_engine_logs limit -1"),
              HasSubstr("expected a number of rows"));
}

TEST(Parser, BytesThatAreNoTextAreRefusedWithTheirPlace) {
  EXPECT_EQ(outcome(std::string("show\npi\0pes", 11)), "2:3 kMalformed a NUL character stands here");
  EXPECT_EQ(outcome("show pipe '\xC3\x28'"), "1:12 kMalformed bytes that are not UTF-8 stand here");
  EXPECT_EQ(outcome("测\xED\xA0\x80"), "1:2 kMalformed bytes that are not UTF-8 stand here");
  EXPECT_EQ(outcome("show \x1b[31m"), "1:6 kMalformed a control character stands here");
  EXPECT_EQ(outcome("show pipes（"), "1:11 kMalformed a full-width '（': write '(' stands here");
  EXPECT_EQ(outcome("show /* pipes"), "1:6 kMalformed a comment without its end '*/' begins here");
  EXPECT_THAT(outcome("start pipe ü"), HasSubstr("a character that can stand only in quotes"));
}

// ---- limits

std::string with_value(std::size_t bytes) {
  return "create pipe p with connector ('connector'='x','v'='" + std::string(bytes, 'a') + "')";
}

TEST(Parser, LimitsAreExactAndSaidClearly) {
  EXPECT_TRUE(parse_statement(with_value(1 << 20), Dialect::kDataSync).ok());
  EXPECT_THAT(outcome(with_value((1 << 20) + 1)), StartsWith("1:51 kTooLarge a text longer than 1 MiB"));
  EXPECT_TRUE(parse_statement("show pipes" + std::string(kMaxStatementBytes - 10, ' '), {}).ok());
  EXPECT_THAT(outcome("show pipes" + std::string(kMaxStatementBytes - 9, ' ')),
              StartsWith("1:1 kTooLarge a statement of 2097153 bytes"));
}

TEST(Parser, AStatementHasAtMost4096Attributes) {
  const auto with = [](int count) {
    std::string text = "create pipe p with connector ('connector'='x'";
    for (int i = 1; i < count; ++i) text += ",'a" + std::to_string(i) + "'=''";
    return text + ")";
  };
  EXPECT_TRUE(parse_statement(with(4096), Dialect::kDataSync).ok());
  EXPECT_THAT(outcome(with(4097)), HasSubstr("kTooLarge more than 4096 attributes in one statement"));
}

TEST(Parser, ParenthesesNestAtMost32Deep) {
  const auto with = [](std::size_t depth) {
    return "create pipe p to s from " + std::string(depth, '(') + "select ** from root" +
           std::string(depth, ')');
  };
  EXPECT_EQ(outcome(with(32)), "CREATE PIPE p TO s");
  EXPECT_EQ(outcome(with(33)), "1:57 kTooLarge parentheses nested deeper than 32");
  EXPECT_THAT(outcome(with(1'000'000)), HasSubstr("kTooLarge parentheses nested deeper"));
}

// ---- the caret

std::string explained(std::string_view text, Mark start = {1, 1}) {
  const auto statement = parse_statement(text, Dialect::kDataSync, start);
  return statement.ok() ? "accepted" : explain_error(text, statement.error(), start);
}

TEST(ExplainError, TheCaretStandsUnderTheCharacter) {
  EXPECT_EQ(explained("create pipe a2b\n\twiht connector ('connector'='x')"),
            "line 2, column 2: expected WITH or TO, found 'wiht', did you mean WITH?\n"
            "   wiht connector ('connector'='x')\n"
            "   ^");
  EXPECT_EQ(explained("start pipe 管道 now"),
            "line 1, column 15: expected ';' or the end of the statement, found 'now'\n"
            "  start pipe 管道 now\n"
            "                  ^");
  EXPECT_EQ(explained("start pipe"),
            "line 1, column 11: expected IF or the name of a pipe, found the end of the statement\n"
            "  start pipe\n"
            "            ^");
}

TEST(ExplainError, ALongLineIsCutAroundTheCaret) {
  const std::string text = "create pipe p with connector ('connector'='" + std::string(500, 'x') +
                           "' oops, 'b'='" + std::string(500, 'y') + "')";
  const std::string said = explained(text);
  const std::size_t line = said.find('\n') + 1;
  const std::size_t caret = said.rfind('\n') + 1;
  const std::string shown = said.substr(line, caret - line - 1);
  EXPECT_THAT(shown, AllOf(StartsWith("  …xxxx"), HasSubstr("' oops, 'b'='yyyy"), testing::EndsWith("y…")));
  // The ellipsis takes three bytes and one cell.
  EXPECT_EQ(shown.find("oops"), said.size() - 1 - caret + 2);
  EXPECT_LT(shown.size(), 160U);
}

TEST(ExplainError, APieceOfAFileIsSpokenOfByTheLinesOfTheFile) {
  EXPECT_EQ(explained("show pips", {7, 5}),
            "line 7, column 10: expected PIPES, PIPE, PIPEPLUGINS, PIPESINKTYPE, PIPESINKS, PIPESINK or "
            "PIPESERVER, "
            "found 'pips', did you mean PIPES?\n"
            "  show pips\n"
            "       ^");
}

TEST(Parser, ACheckedClausePointsAtTheAttribute) {
  const auto pipe = std::get<CreatePipe>(parsed(
      "create pipe p with connector ('connector'='iotdb-thrift-connector',\n 'sink.ip'='h','prot'='1')"));
  const Status unknown = check_clause(pipe.connector, thrift_plugin());
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.error().line, 2U);
  EXPECT_EQ(unknown.error().column, 16U);
  EXPECT_THAT(unknown.error().detail, HasSubstr("did you mean 'connector.port'?"));

  const auto bare =
      std::get<CreatePipe>(parsed("create pipe p with connector ('connector'='iotdb-thrift-connector')"));
  const Status missing = check_clause(bare.connector, thrift_plugin());
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().column, 31U);  // where the plugin is named
}

}  // namespace
}  // namespace tidegate
