// SPDX-License-Identifier: Apache-2.0
#include "pipe/process/plugin/plugin_processor.h"

#include <sys/prctl.h>

#include <csignal>

#include "pipe/engine/plugin/plugin_for_test.h"
#include "pipe/process/process_test_rig.h"

namespace tidegate {
namespace {

using test::kSanitized;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using Values = std::map<std::string, std::string>;

class PluginProcessors : public test::PluginTest {
 protected:
  void SetUp() override {
    PluginTest::SetUp();
    bad_ = plugin("bad_processor.so");
  }
  Result<std::unique_ptr<Processor>> make(const ExternalPlugin& plugin, Values values) const {
    return make_plugin_processor(runtime_, plugin, {plugin.info.name, std::move(values)}, "p");
  }
  std::unique_ptr<Processor> made(const ExternalPlugin& plugin, Values values) const {
    Result<std::unique_ptr<Processor>> processor = make(plugin, std::move(values));
    EXPECT_TRUE(processor.ok()) << processor.error().text();
    return std::move(processor).value();
  }
  std::unique_ptr<Processor> bad(const std::string& fault, const std::string& limit = "20s") const {
    return made(bad_, {{"fault", fault}, {"in", "process"}, {"plugin.time-limit", limit}});
  }
  // The code and text with which a batch is refused.
  Error failure(Processor& processor) const {
    std::vector<Batch> out;
    const Status status = test::feed(processor, batch_, &out);
    EXPECT_FALSE(status.ok());
    return status.ok() ? Error() : status.error();
  }
  std::string failure_of(const std::string& fault) const {
    const Error error = failure(*bad(fault));
    EXPECT_EQ(error.code, ErrorCode::kRefused) << fault;
    EXPECT_THAT(error.text(), AllOf(HasSubstr("plugin 'bad-processor'"), HasSubstr(bad_.path))) << fault;
    return error.detail;
  }

  ExternalPlugin bad_;
  const Batch batch_ = test::batch_of({test::table_row("m", 1, {test::real("v", 1)})});
};

// ---- the examples

TEST_F(PluginProcessors, TheExampleMultipliesItsFieldAndNothingElse) {
  const auto scale = made(plugin("scale_processor.so"), {{"field", "t"}, {"factor", "1.5"}, {"table", "m"}});
  const auto rows = test::pass(
      *scale,
      {test::table_row("m", 1, {test::real("t", 2), test::real("u", 2), test::words("w", "x")}),
       test::table_row("m", 2, {test::null("t"), test::real("u", 4)}),
       test::table_row("n", 3, {test::real("t", 2)}), test::tree_row("root.a", 4, {test::real("t", 2)})});
  // In the canonical order of a batch; fields by name.
  EXPECT_THAT(
      rows,
      testing::UnorderedElementsAre(
          test::table_row("m", 1, {test::real("t", 3), test::real("u", 2), test::words("w", "x")}),
          test::table_row("m", 2, {test::null("t"), test::real("u", 4)}),
          test::table_row("n", 3, {test::real("t", 2)}), test::tree_row("root.a", 4, {test::real("t", 2)})));
  EXPECT_THAT(scale->describe(), HasSubstr("scale-processor: t times 1.5"));
}

TEST_F(PluginProcessors, KindsThatAreNoRowsPassTheExamplesUnchanged) {
  const ExternalPlugin scale = plugin("scale_processor.so");
  const ExternalPlugin total = plugin("total_processor.so");
  test::expect_other_kinds_unchanged([&] { return made(scale, {{"field", "t"}, {"factor", "2"}}); });
  test::expect_other_kinds_unchanged([&] { return made(total, {{"field", "t"}}); });
}

TEST_F(PluginProcessors, WithoutAStateItIsRepeatableAndSound) {
  const ExternalPlugin scale = plugin("scale_processor.so");
  const auto make = [&] { return made(scale, {{"field", "f5"}, {"factor", "0.1"}}); };
  test::expect_repeatable(make, 1, 30);
  test::expect_sound_output(make, 2);
  EXPECT_TRUE(make()->state().empty());
  EXPECT_EQ(make()->restore(Bytes{1}).error().code, ErrorCode::kMalformed);
}

TEST_F(PluginProcessors, AStateSurvivesAnyRestart) {
  const ExternalPlugin total = plugin("total_processor.so");
  const auto make = [&] { return made(total, {{"field", "f5"}}); };
  test::expect_repeatable(make, 3, 60);
  test::expect_sound_output(make, 4);
  const auto rows = [&](Processor& processor, double value) {
    return test::pass(processor, {test::table_row("m", 1, {test::real("f5", value)})});
  };
  const auto first = make();
  EXPECT_THAT(rows(*first, 2), ElementsAre(test::table_row("m", 1, {test::real("total", 2)})));
  const auto second = make();
  ASSERT_TRUE(second->restore(first->state()).ok());
  EXPECT_THAT(rows(*second, 3), ElementsAre(test::table_row("m", 1, {test::real("total", 5)})));
}

TEST_F(PluginProcessors, OnlyAStateOfItsOwnIsTaken) {
  const ExternalPlugin total = plugin("total_processor.so");
  const auto processor = made(total, {{"field", "v"}});
  test::pass(*processor, batch_);
  const Bytes state = processor->state();
  const auto refusal = [&](Processor& other, ByteView bytes) {
    const Status status = other.restore(bytes);
    EXPECT_FALSE(status.ok());
    return status.ok() ? "" : status.error().text();
  };
  EXPECT_THAT(refusal(*made(total, {{"field", "w"}}), state), HasSubstr("belongs to other attributes"));
  EXPECT_THAT(refusal(*made(bad_, {}), state), HasSubstr("is one of \"total-processor\""));
  EXPECT_THAT(refusal(*made(total, {{"field", "v"}}), ByteView(state).first(state.size() - 1)),
              HasSubstr("total-processor"));
  Bytes broken = state;
  broken[state.size() - 9] ^= 1;  // the plugin's own bytes
  broken.resize(broken.size() - 1);
  broken[broken.size() - 1] ^= 1;
  EXPECT_FALSE(made(total, {{"field", "v"}})->restore(broken).ok());
  // Limits say nothing about the output: they may be changed.
  EXPECT_TRUE(made(total, {{"field", "v"}, {"plugin.time-limit", "7s"}})->restore(state).ok());
}

TEST_F(PluginProcessors, ThePluginsOwnWordsSayWhyAStateOrSettingIsRefused) {
  const ExternalPlugin total = plugin("total_processor.so");
  const auto processor = made(total, {{"field", "v"}});
  Bytes state = processor->state();
  state[state.size() - 4] = 1;  // a length of 1 ...
  state.push_back(9);           // ... and a byte that is no list of totals
  const Status restored = processor->restore(state);
  ASSERT_FALSE(restored.ok());
  EXPECT_EQ(restored.error().code, ErrorCode::kMalformed);
  EXPECT_THAT(restored.error().text(), HasSubstr("this is no list of totals"));
  const Error refused = make(plugin("scale_processor.so"), {{"field", "t"}, {"factor", "inf"}}).error();
  EXPECT_EQ(refused.code, ErrorCode::kInvalidArgument);
}

TEST_F(PluginProcessors, AttributesAreCheckedBeforeAnythingIsStarted) {
  const ExternalPlugin scale = plugin("scale_processor.so");
  EXPECT_THAT(make(scale, {{"factor", "2"}}).error().text(), HasSubstr("'processor.field'"));
  EXPECT_THAT(make(scale, {{"field", "x"}, {"factr", "2"}}).error().text(), HasSubstr("factor"));
  EXPECT_THAT(make(scale, {{"field", "x"}, {"factor", "two"}}).error().text(), HasSubstr("two"));
  EXPECT_THAT(make(plugin("lines_connector.so"), {}).error().text(),
              HasSubstr("is a connector, not a processor"));
}

// ---- bad plugins

TEST_F(PluginProcessors, AnExceptionStopsThePipeWithItsText) {
  EXPECT_THAT(failure_of("throw"), HasSubstr("in process(): it threw an exception: the pump is dry"));
  EXPECT_THAT(failure_of("throw-int"), HasSubstr("it threw something that is no std::exception"));
}

TEST_F(PluginProcessors, ASignalStopsThePipeWithItsName) {
  EXPECT_THAT(failure_of("abort"), HasSubstr("was killed by signal 6 (SIGABRT) in process()"));
  if (kSanitized) return;
  EXPECT_THAT(failure_of("segfault"), HasSubstr("was killed by signal 11 (SIGSEGV) in process()"));
}

TEST_F(PluginProcessors, AnExitStopsThePipeWithItsStatus) {
  EXPECT_THAT(failure_of("exit"), HasSubstr("exited with status 3 in process()"));
}

TEST_F(PluginProcessors, AHangEndsAtTheTimeLimit) {
  const auto processor = bad("hang", "200ms");
  const Nanos before = real_env().clock->now();
  const Error error = failure(*processor);
  const Nanos took = real_env().clock->now() - before;
  EXPECT_EQ(error.code, ErrorCode::kRefused);
  EXPECT_THAT(error.detail, HasSubstr("did not return from process() within 'plugin.time-limit' (200 ms)"));
  EXPECT_GE(took, 200 * kMillisecond);
  EXPECT_LT(took, 10 * kSecond);
}

TEST_F(PluginProcessors, NonsenseOnTheSocketStopsThePipe) {
  EXPECT_THAT(failure_of("garbage"), HasSubstr("answered process() with nonsense"));
  EXPECT_THAT(failure_of("lie-about-length"), HasSubstr("a frame of 4294967295 bytes"));
}

TEST_F(PluginProcessors, WhatItRefusesOrReturnsIsTold) {
  EXPECT_THAT(failure_of("refuse"), HasSubstr("in process(): not today"));
  EXPECT_THAT(failure_of("silent"), HasSubstr("it returned 99 and says no more"));
  EXPECT_THAT(failure_of("nonsense"), HasSubstr("emit(): the series has no rows"));
  EXPECT_THAT(failure_of("retry"),
              HasSubstr("the target sleeps"));  // only connectors may: it counts as TG_FAILED
}

TEST_F(PluginProcessors, OutputWithoutEndIsCutOff) {
  EXPECT_THAT(failure_of("too-much"), HasSubstr("more than 268435456 bytes came out of one batch"));
}

TEST_F(PluginProcessors, MemoryIsBoundedByTheLimit) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer takes terabytes of address space by itself";
  const auto processor =
      made(bad_, {{"fault", "memory"}, {"in", "process"}, {"plugin.memory-limit", "256MiB"}});
  EXPECT_THAT(failure(*processor).detail, HasSubstr("std::bad_alloc"));
}

TEST_F(PluginProcessors, AFloodOfTheLogIsCountedAndTheBatchGoesThrough) {
  const auto processor = bad("flood");
  EXPECT_EQ(test::pass(*processor, batch_).at(0).canonical, batch_.canonical);
  EXPECT_THAT(log(), SizeIs(testing::Le(tgplugin::OutputLog::kLines + 1)));
  EXPECT_THAT(log(), Contains(HasSubstr("bad-processor of pipe p: flood line 0")));
}

TEST_F(PluginProcessors, ItsLastWordsStandInTheMessageAndInTheLog) {
  EXPECT_THAT(failure_of("last-words"), HasSubstr("the last it wrote: \"the bearing is ?hot\""));
  EXPECT_THAT(log(), Contains(HasSubstr("3 bad-processor of pipe p: the bearing is")));
}

TEST_F(PluginProcessors, AClosedSocketIsTheEndOfIt) {
  EXPECT_THAT(failure_of("close-socket"), HasSubstr("in process()"));
}

TEST_F(PluginProcessors, AfterAFailureANewProcessGoesOnFromTheStateBefore) {
  const auto total = made(plugin("total_processor.so"), {{"field", "v"}});
  test::pass(*total, {test::table_row("m", 1, {test::real("v", 2)})});
  const Bytes before = total->state();
  ASSERT_THAT(test::child_processes(), SizeIs(1));
  ASSERT_EQ(::kill(test::child_processes()[0], SIGKILL), 0);
  EXPECT_THAT(failure(*total).text(), HasSubstr("was killed by signal 9 (SIGKILL) in process()"));
  EXPECT_EQ(total->state(), before);
  EXPECT_THAT(test::child_processes(), SizeIs(0)) << "not started again by itself";
  EXPECT_THAT(test::pass(*total, {test::table_row("m", 2, {test::real("v", 3)})}),
              ElementsAre(test::table_row("m", 2, {test::real("total", 5)})));
}

TEST_F(PluginProcessors, ABadBatchFailsAgainInANewProcess) {
  const auto processor = bad("abort");
  EXPECT_THAT(failure(*processor).text(), HasSubstr("SIGABRT"));
  EXPECT_THAT(failure(*processor).text(), HasSubstr("SIGABRT"));
}

TEST_F(PluginProcessors, AFailureInStateIsAFailureOfTheBatch) {
  EXPECT_THAT(make(bad_, {{"fault", "abort"}, {"in", "state"}}).error().text(), HasSubstr("SIGABRT"));
}

TEST_F(PluginProcessors, ACrashInCreateIsTheErrorOfTheStart) {
  EXPECT_THAT(make(bad_, {{"fault", "abort"}, {"in", "create"}}).error().text(),
              HasSubstr("was killed by signal 6 (SIGABRT) in create()"));
  const Error refused = make(bad_, {{"fault", "refuse"}, {"in", "create"}}).error();
  EXPECT_EQ(refused.code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(refused.text(), HasSubstr("not today"));
}

TEST_F(PluginProcessors, ADestroyThatHangsDoesNotHoldUpTheDaemon) {
  const Nanos before = real_env().clock->now();
  made(bad_, {{"fault", "hang"}, {"in", "destroy"}, {"plugin.time-limit", "200ms"}}).reset();
  EXPECT_LT(real_env().clock->now() - before, 10 * kSecond);
}

TEST_F(PluginProcessors, WhatItForkedDiesWithIt) {
  ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0);  // the orphan comes to us
  test::pass(*bad("child"), batch_);
  int status = 0;
  pid_t orphan = 0;
  const Nanos deadline = real_env().clock->now() + 20 * kSecond;
  while ((orphan = ::waitpid(-1, &status, WNOHANG)) == 0 && real_env().clock->now() < deadline) {
  }
  EXPECT_GT(orphan, 0);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  for (const pid_t left : test::child_processes()) ::kill(left, SIGKILL);  // where the test has failed
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
}

}  // namespace
}  // namespace tidegate
