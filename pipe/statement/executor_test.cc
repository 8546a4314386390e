// SPDX-License-Identifier: Apache-2.0
// Statements about pipes, and what holds for all statements.
#include <sqlite3.h>
#include <sys/stat.h>

#include "pipe/statement/executor_for_tests.h"

namespace tidegate {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

const std::string kCreate = "CREATE PIPE p WITH CONNECTOR ('connector'='do-nothing-connector')";

// Holds a write transaction, as an operator's sqlite3 may.
class OpenTransaction {
 public:
  explicit OpenTransaction(const std::string& path) {
    EXPECT_EQ(sqlite3_open(path.c_str(), &database_), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(database_, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  }
  ~OpenTransaction() { sqlite3_close(database_); }
  OpenTransaction(const OpenTransaction&) = delete;
  OpenTransaction& operator=(const OpenTransaction&) = delete;

 private:
  sqlite3* database_ = nullptr;
};

// ---- pipes

TEST_F(ExecutorTest, ANewPipeIsStoppedAndHistoryEndsAtTheHeadOfTheJournal) {
  run(kCreate);
  EXPECT_EQ(shown("p", "State"), "STOPPED");
  EXPECT_EQ(engine_->specs.at("p").history_boundary, 41U);
  EXPECT_EQ(engine_->specs.at("p").extractor.plugin, "iotdb-extractor");
  EXPECT_EQ(engine_->specs.at("p").processor.plugin, "do-nothing-processor");
}

TEST_F(ExecutorTest, StatesFollowStartAndStopAndSurviveARestart) {
  run(kCreate + "; START PIPE P");
  EXPECT_EQ(shown("p", "State"), "RUNNING");
  restart();
  EXPECT_EQ(shown("p", "State"), "RUNNING");
  run("STOP PIPE p");
  restart();
  EXPECT_EQ(shown("p", "State"), "STOPPED");
  run("DROP PIPE p");
  restart();
  EXPECT_THAT(run("SHOW PIPES").rows, IsEmpty());
}

TEST_F(ExecutorTest, SeveralStatementsStopAtTheFirstErrorAndGiveTheResultsBeforeIt) {
  const Execution done = execute(kCreate + ";\nSTART PIPE nowhere;\nDROP PIPE p");
  EXPECT_EQ(done.results.size(), 1U);
  ASSERT_TRUE(done.error);
  EXPECT_EQ(done.error->line, 2U);
  EXPECT_EQ(done.error->column, 12U);
  EXPECT_THAT(done.explanation, HasSubstr("  START PIPE nowhere;\n             ^"));
  EXPECT_EQ(shown("p", "State"), "STOPPED");
}

TEST_F(ExecutorTest, IfExistsAndIfNotExistsDoNothingWhereThereIsNothingToDo) {
  EXPECT_THAT(run("DROP PIPE IF EXISTS p; STOP PIPE IF EXISTS p; START PIPE IF EXISTS p").message,
              HasSubstr("nothing was done"));
  EXPECT_THAT(run("ALTER PIPE IF EXISTS p MODIFY SOURCE ('pattern'='root.a')").message, HasSubstr("nothing"));
  run(kCreate);
  EXPECT_THAT(run("CREATE PIPE IF NOT EXISTS P WITH SINK ('sink'='do-nothing-connector')").message,
              HasSubstr("exists already"));
  EXPECT_THAT(engine_->calls, ElementsAre("create p"));
}

TEST_F(ExecutorTest, ErrorsStandAtTheCharacterAndNameTheNearest) {
  run(kCreate);
  EXPECT_EQ(refusal("START PIPE q1"), "kNotFound 1:12 there is no pipe 'q1'");
  run("CREATE PIPE boiler WITH CONNECTOR ('connector'='do-nothing-connector')");
  EXPECT_EQ(refusal("SHOW PIPE boilr"), "kNotFound 1:11 there is no pipe 'boilr', did you mean 'boiler'?");
  EXPECT_EQ(refusal(kCreate), "kAlreadyExists 1:13 there is a pipe 'p' already");
  EXPECT_EQ(refusal("CREATE PIPE n WITH CONNECTOR ('connector'='do-nothing-conector')"),
            "kInvalidArgument 1:31 there is no connector 'do-nothing-conector', did you mean "
            "'do-nothing-connector'?");
  EXPECT_THAT(refusal("CREATE PIPE n WITH CONNECTOR ('connector'='iotdb-air-gap-connector', 'prot'='1')"),
              AllOf(StartsWith("kInvalidArgument 1:70"), HasSubstr("did you mean 'connector.port'?")));
  EXPECT_THAT(refusal("CREATE PIPE n WITH CONNECTOR ('connector'='iotdb-air-gap-connector',\n 'port'='0')"),
              StartsWith("kInvalidArgument 2:2"));
  EXPECT_THAT(refusal("CREATE PIPE n WITH CONNECTOR ('ip'='1.2.3.4')"), HasSubstr("1:20"));
  EXPECT_THAT(refusal("CREATE PIPE `a b` WITH CONNECTOR ('connector'='do-nothing-connector')"),
              StartsWith("kInvalidArgument 1:13"));
}

TEST_F(ExecutorTest, WhatTheEngineRefusesStandsAtTheAttributeItNames) {
  engine_->refuse_check = make_error(
      ErrorCode::kInvalidArgument, "'extractor.history.end-time' lies before 'extractor.history.start-time'");
  EXPECT_THAT(refusal("CREATE PIPE n WITH SOURCE ('history.start-time'='2', 'source.history.end-time'='1') "
                      "WITH SINK ('sink'='do-nothing-connector')"),
              StartsWith("kInvalidArgument 1:54"));
  EXPECT_THAT(engine_->calls, IsEmpty());
}

TEST_F(ExecutorTest, EachProcessorOfAChainMustExist) {
  const std::string with = " WITH CONNECTOR ('connector'='do-nothing-connector')";
  run("CREATE PIPE n WITH PROCESSOR ('processor'='down-sampling-processor, do-nothing-processor#2')" + with);
  EXPECT_THAT(
      refusal("CREATE PIPE m WITH PROCESSOR ('processor'='down-sampling-processor, do-nothng-processor')" +
              with),
      HasSubstr("did you mean 'do-nothing-processor'?"));
}

TEST_F(ExecutorTest, AConnectorOfALaterVersionIsCreatedAndStartNamesWhatIsMissing) {
  run("CREATE PIPE k WITH CONNECTOR ('connector'='kafka-connector', 'topic'='t')");
  EXPECT_EQ(refusal("START PIPE k"), "kUnsupported 1:12 the kafka-connector comes with a later version");
  EXPECT_EQ(shown("k", "State"), "STOPPED");
  EXPECT_THAT(engine_->calls, ElementsAre("create k"));
}

TEST_F(ExecutorTest, ModifyKeepsWhatIsNotNamedAndReplaceDoesNot) {
  run("CREATE PIPE a WITH SOURCE ('pattern'='root.a', 'history.enable'='true') WITH PROCESSOR "
      "('processor'='down-sampling-processor', 'window'='10s') "
      "WITH CONNECTOR ('connector'='iotdb-thrift-connector', 'ip'='10.0.0.1', 'port'='1')");
  run("ALTER PIPE a MODIFY CONNECTOR ('connector.thrift.host'='10.0.0.2') REPLACE SOURCE "
      "('pattern'='root.b') "
      "REPLACE PROCESSOR ()");
  const PipeSpec& spec = engine_->specs.at("a");
  EXPECT_THAT(spec.connector.values, ElementsAre(std::pair("ip", "10.0.0.2"), std::pair("port", "1")));
  EXPECT_THAT(spec.extractor.values, ElementsAre(std::pair("pattern", "root.b")));
  EXPECT_EQ(spec.processor.plugin, "do-nothing-processor");
  EXPECT_EQ(spec.connector.plugin, "iotdb-thrift-sync-connector");
  restart();
  EXPECT_THAT(shown("a", "PipeConnector"), HasSubstr("connector.ip=10.0.0.2"));
  EXPECT_THAT(refusal("ALTER PIPE a REPLACE CONNECTOR ('ip'='x')"),
              HasSubstr("1:22 the connector is missing"));
}

TEST_F(ExecutorTest, PipesOfOneConnectorAreListed) {
  run("CREATE PIPE one WITH SINK ('sink'='iotdb-thrift-connector', 'ip'='h', 'port'='1');"
      "CREATE PIPE two WITH SINK ('sink'='iotdb-thrift-connector', 'port'='1', 'thrift.host'='h');"
      "CREATE PIPE three WITH SINK ('sink'='iotdb-thrift-connector', 'ip'='h', 'port'='2')");
  const ResultTable table = run("SHOW PIPES WHERE CONNECTOR USED BY ONE");
  ASSERT_EQ(table.rows.size(), 2U);
  EXPECT_EQ(table.rows[0][0] + table.rows[1][0], "onetwo");
}

// ---- rows

TEST_F(ExecutorTest, TheColumnsOfDataSyncStandInFrontOfOurs) {
  run(kCreate);
  PipeView& view = engine_->views.at("p");
  view.remaining_events = 12;
  view.remaining_seconds = 0.5;
  const ResultTable table = run("SHOW PIPES");
  EXPECT_THAT(table.columns,
              ElementsAre("ID", "CreationTime", "State", "PipeExtractor", "PipeProcessor", "PipeConnector",
                          "ExceptionMessage", "RemainingEventCount", "EstimatedRemainingSeconds"));
  EXPECT_EQ(shown("p", "ExceptionMessage"), "None");
  EXPECT_EQ(shown("p", "RemainingEventCount") + " " + shown("p", "EstimatedRemainingSeconds"), "12 0.50");
  view.remaining_seconds.reset();
  EXPECT_EQ(shown("p", "EstimatedRemainingSeconds"), "Unknown");
  EXPECT_THAT(shown("p", "CreationTime"), ::testing::MatchesRegex("20..-..-..T..:..:..\\...."));
}

TEST_F(ExecutorTest, SecretsAreMaskedInRowsAndInTheAuditLog) {
  run("CREATE PIPE s WITH CONNECTOR ('connector'='iotdb-thrift-connector', 'ip'='h', 'password'='hunter2')");
  run("CREATE USER bob 'hunter2'");
  refusal("CREATE PIPE t WITH CONNECTOR ('connector.password'='hunter2' oops");
  EXPECT_THAT(shown("s", "PipeConnector"), AllOf(HasSubstr("password=******"), Not(HasSubstr("hunter2"))));
  EXPECT_THAT(audit_text(), AllOf(HasSubstr("'******'"), Not(HasSubstr("hunter2"))));
  EXPECT_EQ(engine_->specs.at("s").connector.values.at("password"), "hunter2");
}

TEST_F(ExecutorTest, ShowPipeTellsWhatHasNoColumn) {
  run(kCreate);
  engine_->views.at("p").carried_by = "stream 3 of the link to 10.0.0.9:9780";
  EXPECT_THAT(run("SHOW PIPE p").message, AllOf(HasSubstr("Origin: typed"), HasSubstr("CarriedBy: stream 3"),
                                                HasSubstr("up to LSN 41"), HasSubstr("SyncDelOp: true")));
}

// ---- the engine fails, or stops by itself

TEST_F(ExecutorTest, APipeThatCannotBeMadeStaysStoppedWithTheMessage) {
  engine_->failing.emplace("create", make_error(ErrorCode::kIo, "no outbox"));
  EXPECT_THAT(refusal(kCreate), AllOf(HasSubstr("is defined and STOPPED"), HasSubstr("no outbox")));
  EXPECT_THAT(shown("p", "ExceptionMessage"), HasSubstr("no outbox"));
  EXPECT_EQ(shown("p", "State"), "STOPPED");
}

TEST_F(ExecutorTest, AStartThatFailsLeavesThePipeStoppedWithTheMessageAlsoAfterARestart) {
  run(kCreate);
  engine_->failing.emplace("start", make_error(ErrorCode::kIo, "no thread"));
  EXPECT_THAT(refusal("START PIPE p"), HasSubstr("no thread"));
  restart();
  EXPECT_EQ(shown("p", "State"), "STOPPED");
  EXPECT_THAT(shown("p", "ExceptionMessage"), HasSubstr("no thread"));
}

TEST_F(ExecutorTest, ADropThatLeavesSomethingBehindCanBeRepeated) {
  run(kCreate);
  engine_->failing.emplace("drop", make_error(ErrorCode::kBusy, "still in use"));
  EXPECT_THAT(refusal("DROP PIPE p"), HasSubstr("remains could not be removed"));
  EXPECT_THAT(run("SHOW PIPES").rows, IsEmpty());
  EXPECT_THAT(refusal(kCreate), HasSubstr("still in use"));
  engine_->failing.clear();
  run("DROP PIPE p");
  run(kCreate);
}

TEST_F(ExecutorTest, AnAutomaticStopIsWrittenByTheNextTickAndHoldsAfterARestart) {
  run(kCreate + "; START PIPE p");
  engine_->stops_by_itself("p", "not authorised");
  EXPECT_EQ(shown("p", "State"), "STOPPED");
  executor_->tick();
  restart();
  EXPECT_EQ(shown("p", "State") + " " + shown("p", "ExceptionMessage"), "STOPPED not authorised");
  run("START PIPE p");
  EXPECT_EQ(shown("p", "ExceptionMessage"), "None");
}

TEST_F(ExecutorTest, AnAutomaticStopFromBeforeAStartIsNotWritten) {
  run(kCreate + "; START PIPE p");
  engine_->stops_by_itself("p", "not authorised");
  run("START PIPE p");
  executor_->tick();
  restart();
  EXPECT_EQ(shown("p", "State"), "RUNNING");
}

TEST_F(ExecutorTest, ALockedCatalogueRefusesChangesAndTakesAutomaticStopsLater) {
  run(kCreate + "; START PIPE p");
  {
    const OpenTransaction operators(catalogue_->database_path());
    EXPECT_THAT(refusal("CREATE PIPE q WITH SINK ('sink'='do-nothing-connector')"), StartsWith("kLocked"));
    EXPECT_THAT(engine_->calls, Not(::testing::Contains("create q")));
    engine_->stops_by_itself("p", "fenced");
    executor_->tick();
    EXPECT_THAT(executor_->message(), HasSubstr("does not take yet"));
  }
  executor_->tick();
  EXPECT_EQ(executor_->message(), "");
  EXPECT_EQ(executor_->definitions()->pipes.at("p").exception_message, "fenced");
}

// ---- privileges and the audit log

TEST_F(ExecutorTest, WhoHasNoPrivilegeIsToldWhichAndWhoGrantsIt) {
  EXPECT_EQ(refusal(user("eve"), "CREATE PIPE p WITH CONNECTOR ('connector'='do-nothing-connector')"),
            "kUnauthorized user 'eve' lacks the privilege CREATE_PIPE for CREATE PIPE: root or the daemon's "
            "own user "
            "grants it: CREATE USER eve; GRANT CREATE_PIPE TO USER eve");
  EXPECT_THAT(engine_->calls, IsEmpty());
  EXPECT_THAT(refusal(user("eve"), "GRANT ALL TO USER eve"), HasSubstr("root and the daemon's own user"));
  EXPECT_THAT(refusal(user("eve"), "SHOW PIPES"), HasSubstr("SHOW_PIPES"));
  EXPECT_THAT(audit_text(),
              AllOf(HasSubstr("\"user\":\"eve\""), HasSubstr("GRANT"), HasSubstr("kUnauthorized")));
}

TEST_F(ExecutorTest, WhoMayMakePipesMayNotNameFilesOfTheMachine) {
  run("CREATE USER op; GRANT CREATE_PIPE TO USER op");
  for (const char* attribute : {"'sink.password'='file:/etc/shadow'", "'sink.token'='env:SECRET'",
                                "'sink.directory'='/etc'", "'sink.ca-file'='/etc/x'"})
    EXPECT_THAT(refusal(user("op"), std::string("CREATE PIPE n WITH SINK ('sink'='do-nothing-connector',") +
                                        attribute + ")"),
                AllOf(HasSubstr("kUnauthorized"), HasSubstr("files of this machine")));
  EXPECT_THAT(engine_->calls, IsEmpty());
}

TEST_F(ExecutorTest, EachPrivilegeOpensItsStatementsAndNoOther) {
  run(kCreate + "; CREATE USER op");
  const std::vector<std::pair<std::string, std::string>> table = {
      {"CREATE_PIPE", "CREATE PIPE n WITH SINK ('sink'='do-nothing-connector')"},
      {"START_PIPE", "START PIPE p"},
      {"STOP_PIPE", "STOP PIPE p"},
      {"SHOW_PIPES", "SHOW PIPES"},
      {"DROP_PIPE", "DROP PIPE p"}};
  for (const auto& [privilege, statement] : table) {
    for (const auto& [other, text] : table) {
      if (other != privilege) {
        EXPECT_THAT(refusal(user("op"), statement), HasSubstr(privilege));
        run("GRANT " + other + " TO USER op");
      }
    }
    EXPECT_THAT(refusal(user("op"), statement), HasSubstr(privilege));
    run("GRANT USER op PRIVILEGES " + privilege);
    EXPECT_FALSE(executor_->execute(user("op"), statement, Dialect::kDataSync).error) << statement;
    run("REVOKE ALL FROM USER op");
  }
}

TEST_F(ExecutorTest, UsersAndTheirPrivilegesAreListed) {
  run("CREATE USER op 'pw'; GRANT START_PIPE, CREATE_PIPE ON root.** TO USER op; GRANT ALL TO USER op");
  EXPECT_THAT(run("LIST USER").rows, ElementsAre(ElementsAre("root"), ElementsAre("op")));
  run("REVOKE STOP_PIPE, SHOW_PIPES, DROP_PIPE FROM USER op");
  const ResultTable own =
      executor_->execute(user("op"), "LIST PRIVILEGES OF USER op", Dialect::kDataSync).results.at(0);
  EXPECT_THAT(own.rows, ElementsAre(ElementsAre("", "CREATE_PIPE"), ElementsAre("", "START_PIPE")));
  EXPECT_THAT(refusal("GRANT START_PIPE TO USER op"), HasSubstr("already"));
  EXPECT_THAT(refusal("GRANT ALL TO USER opp"), HasSubstr("did you mean 'op'?"));
  EXPECT_THAT(refusal("DROP USER root"), HasSubstr("root may do everything"));
  run("DROP USER op");
  EXPECT_THAT(refusal(user("op"), "START PIPE p"), StartsWith("kUnauthorized"));
}

TEST_F(ExecutorTest, EveryStatementIsInTheAuditLogAndAChangeIsThereBeforeItHappens) {
  run("SHOW PIPES;" + kCreate);
  refusal("START PIPE q");
  refusal("nonsense");
  const auto report = verify_audit_log(*real_env().files, dir_ + "/audit");
  ASSERT_TRUE(report.ok());
  EXPECT_TRUE(report->intact());
  EXPECT_EQ(report->lines, 6U);  // show; begins, done; begins, refused; no statement
  EXPECT_THAT(audit_text(), AllOf(HasSubstr("\"text\":\"begins\""), HasSubstr("\"pid\":4711"),
                                  HasSubstr("kNotFound"), HasSubstr("kMalformed"), HasSubstr("SHOW PIPES")));
}

// A disk that has no room for the audit log.
class FullDisk : public FileSystem {
 public:
  explicit FullDisk(FileSystem& real) : real_(real) {}
  bool full = false;

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    TG_TRY(auto file, real_.open(path, mode));
    return std::unique_ptr<File>(std::make_unique<LimitedFile>(std::move(file), full));
  }
  Status make_dirs(const std::string& path) override { return real_.make_dirs(path); }
  Result<std::vector<std::string>> list(const std::string& path) override { return real_.list(path); }
  bool exists(const std::string& path) override { return real_.exists(path); }
  Status remove(const std::string& path) override { return real_.remove(path); }
  Status rename(const std::string& from, const std::string& to) override { return real_.rename(from, to); }
  Status hard_link(const std::string& from, const std::string& to) override {
    return real_.hard_link(from, to);
  }
  Status sync_dir(const std::string& path) override { return real_.sync_dir(path); }
  Result<SpaceInfo> space(const std::string& path) override { return real_.space(path); }
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override { return real_.lock(path); }

 private:
  class LimitedFile : public File {
   public:
    LimitedFile(std::unique_ptr<File> file, const bool& full) : file_(std::move(file)), full_(full) {}
    Status write_at(std::uint64_t offset, ByteView data) override {
      if (full_) return make_error(ErrorCode::kNoSpace, "the disk is full");
      return file_->write_at(offset, data);
    }
    Result<std::size_t> read_at(std::uint64_t offset, std::span<std::uint8_t> out) override {
      return file_->read_at(offset, out);
    }
    Status sync() override { return file_->sync(); }
    Status truncate(std::uint64_t size) override { return file_->truncate(size); }
    Result<std::uint64_t> size() override { return file_->size(); }

   private:
    std::unique_ptr<File> file_;
    const bool& full_;
  };
  FileSystem& real_;
};

TEST_F(ExecutorTest, WithoutAnAuditLogNothingIsChangedButEverythingIsShown) {
  FullDisk disk(*real_env().files);
  Env env = real_env();
  env.files = &disk;
  auto audit = AuditLog::open(env, dir_ + "/other-audit");
  ASSERT_TRUE(audit.ok());
  executor_ = std::make_unique<Executor>(real_env(), *catalogue_, *engine_, **audit, hooks_);
  disk.full = true;
  EXPECT_THAT(refusal(kCreate), AllOf(StartsWith("kNoSpace"), HasSubstr("nothing was done")));
  EXPECT_THAT(engine_->calls, IsEmpty());
  EXPECT_THAT(run("SHOW PIPES").message, HasSubstr("the audit log does not hold"));
  disk.full = false;
  run(kCreate);
  executor_.reset();
}

// ---- the rest

TEST_F(ExecutorTest, LoadConfigurationMayComeBackWithThePipesOfYaml) {
  EXPECT_THAT(refusal("LOAD CONFIGURATION"), StartsWith("kUnsupported"));
  hooks_.reload = [this]() -> Result<std::string> {
    TG_CHECK(executor_->adopt_yaml({{.statements = kCreate, .file = "x.yaml", .line = 3}}));
    return std::string("ip_white_list is 10.0.0.0/8");
  };
  restart();
  EXPECT_THAT(run("load configuration").message, HasSubstr("10.0.0.0/8"));
  EXPECT_EQ(shown("p", "State"), "STOPPED");
}

TEST_F(ExecutorTest, TheLogIsATableNewestFirstWithTheColumnsOfTheDocument) {
  LogTable logs(*real_env().clock);
  hooks_.logs = &logs;
  restart();
  run(kCreate);
  logs.add(LogLevel::kInfo, "sender", "begins");
  logs.add(LogLevel::kWarning, "pipe", "p waits: refused");
  const ResultTable table = run("SELECT * FROM system.processing_engine_logs LIMIT 1");
  EXPECT_THAT(table.columns, ElementsAre("event_time", "trigger_name", "log_level", "log_text"));
  ASSERT_EQ(table.rows.size(), 1U);
  EXPECT_THAT(table.rows[0][0], ::testing::MatchesRegex("20..-..-..T..:..:..\\.........."));  // nanoseconds
  EXPECT_THAT(table.rows[0], ElementsAre(::testing::_, "p", "WARN", "p waits: refused"));
  EXPECT_EQ(run("SELECT * FROM processing_engine_logs").rows.size(), 2U);
  executor_.reset();
}

TEST_F(ExecutorTest, CompletionKnowsThePipesOnlyOfThoseWhoMaySeeThem) {
  run(kCreate);
  const std::string text = "START PIPE ";
  EXPECT_THAT(executor_->complete(root(), text, text.size(), Dialect::kDataSync).candidates,
              ::testing::Contains("p"));
  EXPECT_THAT(executor_->complete(user("eve"), text, text.size(), Dialect::kDataSync).candidates,
              Not(::testing::Contains("p")));
}

TEST_F(ExecutorTest, ADamagedCatalogueIsRebuiltByThoseWhoAdministerAndTheAuditLogSaysSo) {
  run(kCreate);
  const std::string path = catalogue_->database_path();
  close();
  for (const char* tail : {"-wal", "-shm"}) std::filesystem::remove(path + tail);
  ASSERT_TRUE(replace_file(*real_env().files, path, as_bytes(std::string(4096, 'x'))).ok());
  open();
  EXPECT_EQ(catalogue_->source(), Catalogue::Source::kCopy);
  EXPECT_EQ(shown("p", "State"), "STOPPED");
  EXPECT_EQ(executor_->rebuild_catalogue(user("eve")).error().code, ErrorCode::kUnauthorized);
  const Status rebuilt = executor_->rebuild_catalogue(root());
  EXPECT_TRUE(rebuilt.ok()) << rebuilt.error().text();
  run("START PIPE p");
  EXPECT_THAT(audit_text(), HasSubstr("rebuild the catalogue"));
}

}  // namespace
}  // namespace tidegate
