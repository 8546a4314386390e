// SPDX-License-Identifier: Apache-2.0
// What every store must do, over each of them.
#include "pipe/catalogue/catalogue_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <functional>

#include "base/sim_env.h"
#include "pipe/catalogue/catalogue_for_test.h"

namespace tidegate {
namespace {

using ::testing::HasSubstr;

struct Kind {
  const char* name;
  std::function<std::unique_ptr<CatalogueStore>(const std::string& folder, FileSystem& files)> make;
};
void PrintTo(const Kind& kind, std::ostream* out) {
  *out << kind.name;
}

class CatalogueStoreTest : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(sim_.files.make_dirs(folder_.path()).ok());
    reopen();
    ASSERT_FALSE(store_->exists());
    ASSERT_EQ(store_->load().error().code, ErrorCode::kNotFound);
    ASSERT_TRUE(store_->rebuild({}, 0).ok());
  }
  void reopen() {
    store_.reset();
    store_ = GetParam().make(folder_.path(), sim_.files);
  }
  // What is durable, read by a store of its own.
  CatalogueSnapshot stored() {
    reopen();
    auto snapshot = store_->load();
    EXPECT_TRUE(snapshot.ok()) << snapshot.error().text();
    return snapshot.ok() ? *snapshot : CatalogueSnapshot{};
  }
  void apply(std::vector<CatalogueChange> changes) {
    const auto after = store_->apply(changes);
    ASSERT_TRUE(after.ok()) << after.error().text();
    ASSERT_EQ(*after, stored()) << "what apply() says is not what is stored";
  }
  // The change is refused, and nothing of it is stored.
  void refuse(std::vector<CatalogueChange> changes, ErrorCode code, const std::string& word) {
    const CatalogueSnapshot before = stored();
    const auto after = store_->apply(changes);
    ASSERT_FALSE(after.ok()) << "expected a refusal with '" << word << "'";
    EXPECT_EQ(after.error().code, code) << after.error().text();
    EXPECT_THAT(after.error().text(), HasSubstr(word));
    EXPECT_EQ(stored(), before);
  }

  TemporaryFolder folder_;
  SimEnv sim_;
  std::unique_ptr<CatalogueStore> store_;
};

TEST_P(CatalogueStoreTest, OneOfEverythingIsReadAsItWasWritten) {
  apply(everything());
  const CatalogueSnapshot now = stored();
  EXPECT_EQ(now.pipes.size(), 2U);
  PipeDefinition expected = pipe_definition("A2B", 1);
  expected.wanted = WantedState::kRunning;
  expected.exception_message = "the target refused";
  EXPECT_EQ(now.pipes.at("a2b"), expected);
  const PipeDefinition& edge = now.pipes.at("edge");
  EXPECT_EQ(edge.pipesink, "Central_IoTDB") << "written as its definition has it";
  EXPECT_EQ(edge.dialect, PipeDialect::kEdgeCloud);
  EXPECT_EQ(edge.yaml_hash, "1234");
  EXPECT_EQ(now.spent_streams.at(2), (SpentStream{"gone", kDropped}));
  EXPECT_EQ(now.plugins.at("my-processor"), plugin_definition("My-Processor"));
  EXPECT_EQ(now.users.at("scada").privileges,
            (std::set{PipePrivilege::kStartPipe, PipePrivilege::kShowPipes}));
  EXPECT_TRUE(now.users.at("Scada").privileges.empty()) << "names of users have case";
  EXPECT_EQ(now.settings.at("pipeserver.enabled"), "true");
}

TEST_P(CatalogueStoreTest, NamesCompareWithoutCaseAndAreKeptAsWritten) {
  apply({change::CreatePipe{pipe_definition("Pump_Hall")},
         change::CreatePipesink{pipesink_definition("Sink")},
         change::CreatePlugin{plugin_definition("Plug")}});
  refuse({change::CreatePipe{pipe_definition("PUMP_hall")}}, ErrorCode::kAlreadyExists, "'Pump_Hall'");
  refuse({change::CreatePipesink{pipesink_definition("sINK")}}, ErrorCode::kAlreadyExists, "'Sink'");
  refuse({change::CreatePlugin{plugin_definition("pLUG")}}, ErrorCode::kAlreadyExists, "'Plug'");
  apply({change::SetPipeState{"pump_hall", WantedState::kRunning, ""}});
  EXPECT_EQ(stored().pipes.begin()->second.name, "Pump_Hall");
  apply({change::DropPipe{"PUMP_HALL", kDropped}, change::DropPipesink{"SINK"}, change::DropPlugin{"PLUG"}});
  EXPECT_EQ(stored(), CatalogueSnapshot{});
}

TEST_P(CatalogueStoreTest, ANameMayChangeItsCaseInOneChange) {
  apply({change::CreatePipe{pipe_definition("p", 1)}, change::CreatePlugin{plugin_definition("x")}});
  apply({change::DropPipe{"p", kDropped}, change::CreatePipe{pipe_definition("P", 2)},
         change::DropPlugin{"x"}, change::CreatePlugin{plugin_definition("X")}});
  EXPECT_EQ(stored().pipes.begin()->first, "P");
  EXPECT_EQ(stored().plugins.begin()->first, "X");
}

TEST_P(CatalogueStoreTest, AlterKeepsNameAndCreationTime) {
  apply({change::CreatePipe{pipe_definition("Pump", 4)}});
  PipeDefinition altered = pipe_definition("pump", 4);
  altered.created_micros = 1;
  altered.connector.values["ip"] = "10.0.0.2";
  apply({change::AlterPipe{altered, kDropped}});
  const PipeDefinition now = stored().pipes.at("pump");
  EXPECT_EQ(now.name, "Pump");
  EXPECT_EQ(now.created_micros, kCreated);
  EXPECT_EQ(now.connector.values.at("ip"), "10.0.0.2");
  EXPECT_TRUE(stored().spent_streams.empty());
}

TEST_P(CatalogueStoreTest, AStreamNumberIsNeverGivenTwice) {
  apply({change::CreatePipe{pipe_definition("a", 1)}, change::CreatePipe{pipe_definition("b", 2)}});
  PipeDefinition same = pipe_definition("c", 1);
  same.outbox = "other";
  refuse({change::CreatePipe{same}}, ErrorCode::kAlreadyExists, "stream 1");
  apply({change::DropPipe{"a", kDropped}, change::AlterPipe{pipe_definition("b", 3), kDropped}});
  refuse({change::CreatePipe{same}}, ErrorCode::kAlreadyExists, "spent by pipe 'a'");
  refuse({change::CreatePipe{pipe_definition("c", 2)}}, ErrorCode::kAlreadyExists, "spent by pipe 'b'");
  apply({change::CreatePipe{pipe_definition("c", 4)}});
}

TEST_P(CatalogueStoreTest, AnOutboxFolderHasOneOwner) {
  apply({change::CreatePipe{pipe_definition("a", 1)}});
  PipeDefinition same = pipe_definition("b", 2);
  same.outbox = "outbox-1";
  refuse({change::CreatePipe{same}}, ErrorCode::kAlreadyExists, "outbox folder 'outbox-1'");
  same.outbox = "../elsewhere";
  refuse({change::CreatePipe{same}}, ErrorCode::kInvalidArgument, "no name of a folder");
}

TEST_P(CatalogueStoreTest, TwoPipesMayExchangeTheirOutboxFolders) {
  apply({change::CreatePipe{pipe_definition("a", 1)}, change::CreatePipe{pipe_definition("b", 2)}});
  PipeDefinition a = pipe_definition("a", 1), b = pipe_definition("b", 2);
  std::swap(a.outbox, b.outbox);
  apply({change::AlterPipe{a, kDropped}, change::AlterPipe{b, kDropped}});
  EXPECT_EQ(stored().pipes.at("a").outbox, "outbox-2");
}

TEST_P(CatalogueStoreTest, WhatIsUsedCannotBeDropped) {
  apply(everything());
  refuse({change::DropPipesink{"central_iotdb"}}, ErrorCode::kBusy, "'edge'");
  PipeDefinition user = pipe_definition("user");
  user.processor.plugin = "do-nothing-processor, my-processor#1";
  apply({change::CreatePipe{user}});
  refuse({change::DropPlugin{"My-Processor"}}, ErrorCode::kBusy, "'user'");
}

TEST_P(CatalogueStoreTest, WhatIsNotThereCannotBeChanged) {
  refuse({change::AlterPipe{pipe_definition("x"), 0}}, ErrorCode::kNotFound, "no pipe 'x'");
  refuse({change::SetPipeState{"x", WantedState::kRunning, ""}}, ErrorCode::kNotFound, "no pipe 'x'");
  refuse({change::DropPipe{"x", 0}}, ErrorCode::kNotFound, "no pipe 'x'");
  refuse({change::DropPipesink{"x"}}, ErrorCode::kNotFound, "no pipesink 'x'");
  refuse({change::DropPlugin{"x"}}, ErrorCode::kNotFound, "no plugin 'x'");
  refuse({change::DropUser{"x"}}, ErrorCode::kNotFound, "no user 'x'");
  refuse({change::SetPassword{"x", ""}}, ErrorCode::kNotFound, "no user 'x'");
  refuse({change::Grant{"x", {PipePrivilege::kDropPipe}}}, ErrorCode::kNotFound, "no user 'x'");
  PipeDefinition pipe = pipe_definition("p");
  pipe.pipesink = "nowhere";
  refuse({change::CreatePipe{pipe}}, ErrorCode::kNotFound, "pipesink 'nowhere'");
}

TEST_P(CatalogueStoreTest, ValuesThatNoCatalogueHoldsAreRefused) {
  const auto with = [](auto&& set) {
    PipeDefinition pipe = pipe_definition("p");
    set(pipe);
    return std::vector<CatalogueChange>{change::CreatePipe{pipe}};
  };
  const ErrorCode invalid = ErrorCode::kInvalidArgument;
  refuse(with([](PipeDefinition& p) { p.name = ""; }), invalid, "empty");
  refuse(with([](PipeDefinition& p) { p.name = std::string(256, 'n'); }), invalid, "256 bytes");
  refuse(with([](PipeDefinition& p) { p.name = "a\nb"; }), invalid, "control character");
  refuse(with([](PipeDefinition& p) { p.name = "\xff"; }), invalid, "not UTF-8");
  refuse(with([](PipeDefinition& p) { p.connector.values["k"] = std::string("a\0b", 3); }), invalid, "NUL");
  refuse(with([](PipeDefinition& p) { p.extractor.values["k"] = "\xc3"; }), invalid, "not UTF-8");
  refuse(with([](PipeDefinition& p) { p.yaml_hash = "12"; }), invalid, "YAML");
  refuse(with([](PipeDefinition& p) { p.origin = PipeOrigin::kYaml; }), invalid, "YAML");
  refuse(with([](PipeDefinition& p) { p.history_boundary = UINT64_MAX; }), invalid, "out of range");
  PluginDefinition plugin = plugin_definition("x");
  plugin.sha256 = "12";
  refuse({change::CreatePlugin{plugin}}, invalid, "SHA-256");
}

TEST_P(CatalogueStoreTest, AllChangesOfACallOrNone) {
  refuse({change::CreatePipe{pipe_definition("a")}, change::SetSetting{"k", "v"}, change::DropUser{"nobody"}},
         ErrorCode::kNotFound, "nobody");
  EXPECT_EQ(stored(), CatalogueSnapshot{});
}

TEST_P(CatalogueStoreTest, PrivilegesComeAndGoWithTheUser) {
  apply({change::CreateUser{"u", ""}, change::Grant{"u", {PipePrivilege::kCreatePipe}}});
  refuse({change::CreateUser{"u", ""}}, ErrorCode::kAlreadyExists, "'u'");
  refuse({change::Grant{"u", {PipePrivilege::kCreatePipe}}}, ErrorCode::kAlreadyExists,
         "CREATE_PIPE already");
  refuse({change::Revoke{"u", {PipePrivilege::kStopPipe}}}, ErrorCode::kNotFound, "STOP_PIPE");
  apply({change::SetPassword{"u", "hash"}});
  EXPECT_EQ(stored().users.at("u").privileges.size(), 1U) << "a new password takes no privilege away";
  apply({change::Revoke{"u", {PipePrivilege::kCreatePipe}}, change::Grant{"u", {PipePrivilege::kDropPipe}}});
  apply({change::DropUser{"u"}, change::CreateUser{"u", ""}});
  EXPECT_TRUE(stored().users.at("u").privileges.empty());
}

TEST_P(CatalogueStoreTest, SettingsAreSetAndCleared) {
  apply({change::SetSetting{"k", "v"}, change::SetSetting{"K", "other"}});
  apply({change::SetSetting{"k", "w"}, change::ClearSetting{"K"}, change::ClearSetting{"none"}});
  EXPECT_EQ(stored().settings, (std::map<std::string, std::string>{{"k", "w"}}));
}

TEST_P(CatalogueStoreTest, ASoundStoreIsNotRebuilt) {
  apply(everything());
  EXPECT_EQ(store_->rebuild({}, 0).error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(stored().pipes.size(), 2U);
}

// Random changes: the store and a plain snapshot agree after each, in the result as in the refusal.
class RandomChanges {
 public:
  explicit RandomChanges(std::uint64_t seed) : random_(seed) {}
  CatalogueChange next() {
    const StreamId stream = static_cast<StreamId>(random_.below(12));
    PipeDefinition pipe = pipe_definition(name(), stream);
    if (random_.chance(1, 3)) pipe.pipesink = name();
    switch (random_.below(10)) {
      case 0:
      case 1:
        return change::CreatePipe{pipe};
      case 2:
        return change::AlterPipe{pipe, kDropped};
      case 3:
        return change::SetPipeState{
            name(), random_.chance(1, 2) ? WantedState::kRunning : WantedState::kStopped, name()};
      case 4:
        return change::DropPipe{name(), kDropped};
      case 5:
        return change::CreatePipesink{pipesink_definition(name())};
      case 6:
        return change::DropPipesink{name()};
      case 7:
        return change::CreateUser{name(), name()};
      case 8:
        return change::DropUser{name()};
      default:
        return change::Grant{name(), {static_cast<PipePrivilege>(random_.below(5))}};
    }
  }
  std::size_t count() { return 1 + random_.below(3); }

 private:
  std::string name() {
    constexpr std::array<const char*, 6> kNames{"a", "A", "b", "B", "c", "管道"};
    return kNames[random_.below(kNames.size())];
  }
  SimRandom random_;
};

TEST_P(CatalogueStoreTest, RandomChangesDoToTheStoreWhatTheyDoToASnapshot) {
  RandomChanges random(11);
  CatalogueSnapshot model;
  std::uint64_t done = 0;
  for (int i = 0; i < 300; ++i) {
    std::vector<CatalogueChange> changes;
    for (std::size_t n = random.count(); n > 0; --n) changes.push_back(random.next());
    const Status expected = apply_changes(model, changes);
    const auto after = store_->apply(changes);
    ASSERT_EQ(after.ok(), expected.ok()) << (after.ok() ? expected.error() : after.error()).text();
    if (after.ok()) ++done;
    if (!after.ok()) {
      ASSERT_EQ(after.error().code, expected.error().code) << after.error().text();
    }
    if (i % 10 == 0) {
      ASSERT_EQ(stored(), model) << "after step " << i;
    }
  }
  EXPECT_EQ(stored(), model);
  EXPECT_GT(done, 50U);
}

INSTANTIATE_TEST_SUITE_P(Stores, CatalogueStoreTest,
                         ::testing::Values(Kind{"Sqlite",
                                                [](const std::string& folder, FileSystem&) {
                                                  return make_sqlite_store(folder + "/catalogue.db");
                                                }},
                                           Kind{"File",
                                                [](const std::string& folder, FileSystem& files) {
                                                  return make_file_store(files,
                                                                         folder + "/catalogue-store.json");
                                                }}),
                         [](const auto& instance) { return std::string(instance.param.name); });

}  // namespace
}  // namespace tidegate
