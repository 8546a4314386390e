// SPDX-License-Identifier: Apache-2.0
#include "pipe/connect/file/file_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <sstream>

#include "base/log.h"
#include "base/sim_env.h"
#include "pipe/engine/engine_test_support.h"
#include "pipe/engine/pipe.h"

namespace tidegate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::MemoryPositions;
using testing::MemoryRecords;
using testing::number_batch;

// A file sink behind a pipe, on a simulated disk.
class FileSinkTest : public ::testing::Test {
 protected:
  FileSinkTest() {
    options_.directory = "/out";
    options_.name = "t";
    options_.rotate_interval = 0;
  }
  Env env() {
    Env out = sim_.env();
    if (clock_ != nullptr) out.clock = clock_;
    return out;
  }
  void start() {
    sink_ = std::make_unique<FileSink>(env(), options_);
    PipeOptions options;
    options.name = "p";
    options.dead_letters.directory = "/dead";
    pipe_ = std::make_unique<Pipe>(env(), std::move(options), source_, positions_, *sink_);
    ASSERT_TRUE(pipe_->open().ok());
  }
  void stop() {
    pipe_.reset();
    sink_.reset();
  }
  // Steps until the pipe wants to wait for data. Moves the clock through back-offs.
  void run() {
    if (pipe_ == nullptr) start();
    for (int i = 0; i < 10000; ++i) {
      const Wake wake = pipe_->step();
      if (wake.at == kNever || (wake.on_data && wake.at > sim_.clock.now())) return;
      if (wake.at > sim_.clock.now()) sim_.clock.set(wake.at);
    }
    FAIL() << "no rest: " << pipe_->status().message;
  }
  std::vector<std::string> names() {
    std::vector<std::string> out;
    const auto all = sim_.files.list("/out").value();
    for (const std::string& name : all) {
      if (!name.starts_with(".")) out.push_back(name);
    }
    return out;
  }
  std::string text(const std::string& name) {
    auto bytes = read_file(sim_.files, "/out/" + name, 1 << 24);
    return bytes.ok() ? std::string(as_text(*bytes)) : "absent";
  }
  // The data of all files in the order of their names, comments left out.
  std::vector<std::string> lines() {
    std::vector<std::string> out;
    for (const std::string& name : names()) {
      if (name.ends_with(".orphan")) continue;
      std::istringstream in(text(name));
      for (std::string line; std::getline(in, line);) {
        if (!line.starts_with("#")) out.push_back(line);
      }
    }
    return out;
  }
  std::vector<std::string> expected(int count) {
    std::vector<std::string> out;
    for (int i = 1; i <= count; ++i) out.push_back("m,s=1 v=" + std::to_string(i) + "i " + std::to_string(i));
    return out;
  }
  void write(int from, int to) {
    for (int i = from; i <= to; ++i) source_.append(number_batch(i));
  }

  SimEnv sim_;
  Clock* clock_ = nullptr;  // instead of the simulated one
  FileSinkOptions options_;
  MemoryRecords source_;
  MemoryPositions positions_;
  std::unique_ptr<FileSink> sink_;
  std::unique_ptr<Pipe> pipe_;
};

TEST_F(FileSinkTest, WritesLineProtocolThatInfluxCanImport) {
  write(1, 2);
  run();
  EXPECT_THAT(names(), ElementsAre("t-000000000001.lp.part"));
  EXPECT_EQ(text("t-000000000001.lp.part"), "# DML\n# CONTEXT-DATABASE: plant\nm,s=1 v=1i 1\nm,s=1 v=2i 2\n");
}

TEST_F(FileSinkTest, AFileIsClosedAtItsSizeAndNamedAfterItsLsns) {
  options_.rotate_bytes = 58;
  write(1, 6);
  run();
  EXPECT_THAT(names(), ElementsAre("t-000000000001-000000000002.lp", "t-000000000003-000000000004.lp",
                                   "t-000000000005-000000000006.lp"));
  EXPECT_EQ(lines(), expected(6));
  EXPECT_THAT(text("t-000000000005-000000000006.lp"), HasSubstr("# CONTEXT-DATABASE: plant\n"))
      << "every file names its database anew";
}

TEST_F(FileSinkTest, AFileIsClosedAtItsAgeAlsoWhenNothingComes) {
  options_.rotate_interval = 60 * kSecond;
  write(1, 1);
  run();
  const Wake wake = pipe_->step();
  EXPECT_EQ(wake.at, 60 * kSecond);
  sim_.clock.set(wake.at);
  run();
  EXPECT_THAT(names(), ElementsAre("t-000000000001-000000000001.lp"));
}

TEST_F(FileSinkTest, AnIdleSinkRotatesByAgeOnAClockThatNeverStandsAndThenRests) {
  testing::TickingClock clock;
  clock_ = &clock;
  options_.rotate_interval = 60 * kSecond;
  write(1, 1);
  start();
  Wake wake;
  for (int i = 0; i < 10; ++i) wake = pipe_->step();
  EXPECT_TRUE(wake.on_data);
  EXPECT_EQ(sink_->wake_at(), sink_->wake_at()) << "a fixed moment";
  EXPECT_GT(wake.at, clock.now());
  clock.set(sink_->wake_at());
  for (int i = 0; i < 10; ++i) wake = pipe_->step();
  EXPECT_THAT(names(), ElementsAre("t-000000000001-000000000001.lp"));
  EXPECT_EQ(wake.at, kNever) << "nothing more to do: no call, no core burnt";
}

TEST_F(FileSinkTest, AWallClockThatJumpsNeitherEndsAFileNorKeepsItOpen) {
  options_.rotate_interval = 60 * kSecond;
  write(1, 1);
  run();
  sim_.clock.jump_wall(-3600 * 1'000'000LL);
  write(2, 2);
  run();
  EXPECT_THAT(names(), ElementsAre("t-000000000001.lp.part"));
  sim_.clock.set(60 * kSecond);
  run();
  EXPECT_THAT(names(), ElementsAre("t-000000000001-000000000002.lp"));
}

TEST_F(FileSinkTest, TheAgeOfAFileGoesOnOverARestart) {
  options_.rotate_interval = 60 * kSecond;
  write(1, 1);
  run();
  stop();
  sim_.clock.advance(45 * kSecond);
  start();
  (void)pipe_->step();
  EXPECT_EQ(sink_->wake_at(), 60 * kSecond);
  stop();
  sim_.clock.advance(45 * kSecond);
  run();
  EXPECT_THAT(names(), ElementsAre("t-000000000001-000000000001.lp"));
}

TEST_F(FileSinkTest, AFinalNameThatIsTakenIsNotOverwritten) {
  ASSERT_TRUE(sim_.files.make_dirs("/out").ok());
  ASSERT_TRUE(replace_file(sim_.files, "/out/t-000000000001-000000000001.lp", as_bytes("old\n")).ok());
  options_.rotate_bytes = 1;
  write(1, 1);
  run();
  EXPECT_EQ(text("t-000000000001-000000000001.lp"), "old\n");
  EXPECT_EQ(text("t-000000000001-000000000001.2.lp"), "# DML\n# CONTEXT-DATABASE: plant\nm,s=1 v=1i 1\n");
}

TEST_F(FileSinkTest, TheLeftoverOfAnUnknownLifeIsKeptAside) {
  ASSERT_TRUE(sim_.files.make_dirs("/out").ok());
  ASSERT_TRUE(replace_file(sim_.files, "/out/t-000000000009.lp.part", as_bytes("old\n")).ok());
  ASSERT_TRUE(replace_file(sim_.files, "/out/t-other-000000000009.lp.part", as_bytes("another sink\n")).ok());
  write(1, 1);
  run();
  EXPECT_THAT(names(), ElementsAre("t-000000000001.lp.part", "t-000000000009.lp.part.orphan",
                                   "t-other-000000000009.lp.part"));
}

TEST_F(FileSinkTest, TwoSinksOfOneNameDoNotMeet) {
  write(1, 1);
  run();
  FileSink second(sim_.env(), options_);
  const Status opened = second.open(0, {});
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, ErrorCode::kLocked);
}

TEST_F(FileSinkTest, APartFileThatWasShortenedIsReportedAndNotWrittenOver) {
  write(1, 2);
  run();
  stop();
  auto file = sim_.files.open("/out/t-000000000001.lp.part", OpenMode::kReadWrite).value();
  ASSERT_TRUE(file->truncate(3).ok());
  start();
  (void)pipe_->step();
  EXPECT_THAT(pipe_->status().message, HasSubstr("move it away"));
}

TEST_F(FileSinkTest, AFullDiskHoldsDeliveryAndLeavesNoTornLine) {
  write(1, 50);
  sim_.files.set_capacity(300);
  start();
  for (int i = 0; i < 100; ++i) {
    const Wake wake = pipe_->step();
    if (wake.at > sim_.clock.now() && wake.at != kNever) sim_.clock.set(wake.at);
  }
  EXPECT_THAT(pipe_->status().message, HasSubstr("make room"));
  sim_.files.set_capacity(1 << 20);
  run();
  EXPECT_EQ(lines(), expected(50));
}

TEST_F(FileSinkTest, WhatIsNoRowStandsAsACommentInItsPlace) {
  write(1, 1);
  source_.append(make_batch({TimeUnit::kNanosecond, 0, "s"}, std::vector{GapEvent{1, 5, 9, 0, 0, -1}}));
  write(2, 2);
  run();
  EXPECT_THAT(text("t-000000000001.lp.part"),
              HasSubstr("m,s=1 v=1i 1\n# tidegate gap "
                        "{\"lsn\":2,\"reason\":1,\"from\":5,\"to\":9,\"events\":0,\"time_min\":0,"
                        "\"time_max\":-1,\"unit\":\"ns\"}\nm,s=1 v=2i 2\n"));
}

TEST_F(FileSinkTest, WhatLineProtocolCannotHoldGoesToTheDeadLetters) {
  BatchBuilder builder("s", TimeUnit::kNanosecond);
  FieldView fields[] = {{"a", ColumnRole::kField, {}}, {"b", ColumnRole::kField, {}}};
  fields[0].value.f64 = std::nan("");
  fields[1].value.f64 = 1.5;
  RowView row;
  row.database = "plant";
  row.table = "m";
  row.fields = fields;
  ASSERT_TRUE(builder.add(row).ok());
  source_.append(builder.build());
  run();
  EXPECT_THAT(lines(), ElementsAre("m b=1.5 0"));
  const Bytes dead = read_file(sim_.files, "/dead/p.dead-000001.jsonl", 1 << 16).value();
  EXPECT_THAT(std::string(as_text(dead)), HasSubstr("\"database\":\"plant\",\"line\":\"m a=nan 0\""));
}

TEST_F(FileSinkTest, CsvHasOneRowPerValueAndKeepsEveryType) {
  options_.format = FileFormat::kCsv;
  BatchBuilder builder("s", TimeUnit::kMillisecond);
  std::vector<FieldView> fields;
  const auto add = [&](std::string_view name, ValueType type) -> ValueView& {
    FieldView& field = fields.emplace_back();
    field.name = name;
    field.value.type = type;
    return field.value;
  };
  add("a", ValueType::kText).text = "x,\"y\"\nz";
  add("b", ValueType::kUint64).u64 = UINT64_MAX;
  add("c", ValueType::kFloat).f32 = 0.1F;
  add("d", ValueType::kDouble).f64 = std::nan("");
  add("e", ValueType::kDouble).f64 = std::bit_cast<double>(0x7ff8000000000001);
  add("f", ValueType::kBlob).text = std::string_view("\0\xff", 2);
  add("g", ValueType::kText).presence = Presence::kNull;
  add("h", ValueType::kText).text = "";
  const TagView tags[] = {{"k", "a,b"}, {"l", "=\\"}};
  RowView row;
  row.database = "plant";
  row.table = "m";
  row.tags = tags;
  row.fields = fields;
  row.time = 5;
  ASSERT_TRUE(builder.add(row).ok());
  source_.append(builder.build());
  source_.append(make_batch({}, std::vector{Statistic{"n", "v"}}));
  run();
  const std::string key = "5000000,plant,m,\"k=a\\,b,l=\\=\\\\\",";
  EXPECT_EQ(
      text("t-000000000001.csv.part"),
      "time,database,table,tags,field,type,value\r\n" +   //
          key + "a,text,\"x,\"\"y\"\"\nz\"\r\n" +         //
          key + "b,uint64,18446744073709551615\r\n" +     //
          key + "c,float,0.1\r\n" +                       //
          key + "d,double,NaN\r\n" +                      //
          key + "e,double,NaN(0x7ff8000000000001)\r\n" +  //
          key + "f,blob,00ff\r\n" +                       //
          key + "g,null:text,\r\n" +                      //
          key + "h,text,\"\"\r\n" +                       //
          ",,,,,event:statistics,\"{\"\"lsn\"\":2,\"\"name\"\":\"\"n\"\",\"\"value\"\":\"\"v\"\"}\"\r\n");
}

// The promise as a whole. Runs the pipe to the end once per effect, killed (or without power) at exactly that
// effect, restarts it and compares the content of all files: each event exactly once and in order.
class FileSinkCrashTest : public FileSinkTest {
 protected:
  // False: the run ended before effect `at`.
  static constexpr int kBatches = 30;

  // One batch at a time, so that there are many deliveries.
  void feed() {
    run();
    while (source_.durable() < kBatches) {
      const auto next = static_cast<int>(source_.durable()) + 1;
      write(next, next);
      run();
    }
  }
  bool run_killed_at(int at, bool power) {
    int effects = 0;
    bool killed = false;
    sim_.files.on_effect([&](EffectKind kind, const std::string&) {
      if (killed || effects++ != at) return;
      killed = true;
      throw SimCrash{kind == EffectKind::kWrite ? static_cast<std::size_t>(at % 40) : 0};
    });
    positions_.on_set = [&] {
      if (killed || effects++ != at) return;
      killed = true;
      throw SimCrash{};
    };
    try {
      feed();
    } catch (const SimCrash&) {
      stop();
      power ? sim_.files.power_cut(sim_.random) : sim_.files.process_crash();
      feed();
    }
    stop();
    return killed;
  }
};

// Each point in a world of its own: the fixture's members cannot be used again.
class OneKill : public FileSinkCrashTest {
 public:
  void TestBody() override {}
  OneKill() { options_.rotate_bytes = 80; }
  bool at(int effect, bool power) {
    const bool killed = run_killed_at(effect, power);
    EXPECT_EQ(lines(), expected(kBatches)) << "effect " << effect << (power ? ", power cut" : ", kill");
    return killed;
  }
};

TEST(FileSinkKillTest, KilledAtAnyEffectEveryEventIsThereOnceAndInOrder) {
  set_log_sink([](LogLevel, std::string_view, std::string_view) {});
  for (const bool power : {false, true}) {
    int kills = 0;
    while (!::testing::Test::HasFailure() && OneKill().at(kills, power)) ++kills;
    EXPECT_GT(kills, 60) << "the schedule is long enough to mean something";
  }
  set_log_sink({});
}

}  // namespace
}  // namespace tidegate
