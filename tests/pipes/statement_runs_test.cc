// SPDX-License-Identifier: Apache-2.0
// Random sequences of statements, data and kills against a small model of the engine: the rows of SHOW PIPES,
// the data that arrives, and positions that never go back.
#include <gmock/gmock.h>

#include <cstdlib>

#include "pipe/catalogue/catalogue.h"
#include "pipe/statement/executor.h"
#include "tests/pipes/daemon_rig.h"

namespace tidegate {
namespace {

// What a pipe is to deliver, and what has come.
struct ModelPipe {
  bool running = false;
  bool history = true, realtime = true;
  bool odd_only = false;             // its pattern takes series 1
  std::string target;                // where it delivers now
  std::size_t boundary = 0;          // rows produced before it was created
  std::vector<std::string> targets;  // all it ever had, in order
};

struct Machine {
  explicit Machine(std::uint64_t seed) : random(seed), rig(seed) {}

  // ---- the daemon
  Status open() {
    TG_TRY(catalogue, Catalogue::open(rig.box.sim.env(), "/data/catalogue",
                                      make_file_store(rig.box.sim.files, "/data/catalogue/store")));
    TG_TRY(audit, AuditLog::open(rig.box.sim.env(), "/data/audit"));
    TG_CHECK(rig.start_bare());
    executor =
        std::make_unique<Executor>(rig.box.sim.env(), *catalogue, *rig.manager, *audit, ExecutorHooks{});
    TG_CHECK(executor->start({}));
    return rig.manager->collect_garbage();
  }
  void close() {
    executor.reset();
    rig.close();
    audit.reset(), catalogue.reset();
  }
  void reboot(bool power) {
    rig.box.sim.files.on_effect({});
    log += power ? "power cut\n" : "kill -9\n";
    close();
    if (power) {
      rig.box.sim.files.power_cut(rig.box.sim.random);
    } else {
      rig.box.sim.files.process_crash();
    }
    ASSERT_NO_FATAL_FAILURE(TG_OK(open()));
    rows_of_model_or_interrupted();
    ++kills;
  }
  // Runs `work`, which may die on the way.
  void maybe_dying(const std::function<void()>& work) {
    const bool dies = random.chance(1, 4);
    std::uint64_t left = 1 + random.below(40);
    if (dies)
      rig.box.sim.files.on_effect([&left](EffectKind, const std::string&) {
        if (left > 0 && --left == 0) throw SimCrash{0};
      });
    bool died = false;
    try {
      work();
    } catch (const SimCrash&) {
      died = true;
    }
    rig.box.sim.files.on_effect({});
    if (died) {
      reboot(random.chance(1, 2));
    } else {
      interrupted.reset();
    }
  }

  // ---- statements
  bool say(const std::string& text) {
    Caller root;
    root.user = "root";
    root.uid = 0;
    root.is_admin = true;
    if (text != "SHOW PIPES") log += text + "\n";
    last = executor->execute(root, text, Dialect::kDataSync);
    if (last.error) log += "  -> " + last.error->text() + "\n";
    return !last.error;
  }
  // The statement, and what becomes of the model when it is carried out.
  void change(const std::string& text, std::map<std::string, ModelPipe> next) {
    interrupted = next;
    maybe_dying([&] {
      ASSERT_TRUE(say(text)) << log;
      model = next;
      interrupted.reset();
    });
  }
  std::string any_pipe() {
    auto it = model.begin();
    std::advance(it, static_cast<long>(random.below(model.size())));
    return it->first;
  }
  void create() {
    const std::string name = "p" + std::to_string(random.below(4));
    if (model.contains(name)) return;
    ModelPipe pipe;
    pipe.history = random.chance(2, 3);
    pipe.realtime = !pipe.history || random.chance(2, 3);
    pipe.odd_only = random.chance(1, 3);
    pipe.target = "t" + std::to_string(++targets);
    pipe.targets = {pipe.target};
    pipe.boundary = rows;
    std::string text = "CREATE PIPE " + name + " WITH SOURCE ('source.history.enable'='" +
                       (pipe.history ? "true" : "false") + "','source.realtime.enable'='" +
                       (pipe.realtime ? "true" : "false") + "'";
    if (pipe.odd_only) text += ",'source.pattern'='root.plant.m.`1`'";
    text += ")";
    if (random.chance(1, 3))
      text += " WITH PROCESSOR ('processor'='rename-database-processor','processor.new-db-name'='plant')";
    text += " WITH SINK ('sink'='memory','sink.target'='" + pipe.target + "')";
    auto next = model;
    next[name] = pipe;
    change(text, next);
  }
  void start_or_stop() {
    if (model.empty()) return;
    const std::string name = any_pipe();
    auto next = model;
    next[name].running = !finished(next[name]) && random.chance(2, 3);
    change((next[name].running ? "START PIPE " : "STOP PIPE ") + name, next);
  }
  void alter() {
    if (model.empty()) return;
    const std::string name = any_pipe();
    auto next = model;
    if (random.chance(1, 2)) {
      next[name].target = "t" + std::to_string(++targets);
      next[name].targets.push_back(next[name].target);
      change("ALTER PIPE " + name + " MODIFY SINK ('sink.target'='" + next[name].target + "')", next);
    } else {
      change(
          "ALTER PIPE " + name +
              " REPLACE PROCESSOR ('processor'='rename-database-processor','processor.new-db-name'='plant')",
          next);
    }
  }
  void drop() {
    if (model.empty()) return;
    const std::string name = any_pipe();
    auto next = model;
    check_order(name);
    next.erase(name);
    change("DROP PIPE " + name, next);
  }
  void produce() {
    const int count = 1 + static_cast<int>(random.below(8));
    log += "produce " + std::to_string(count) + "\n";
    for (int i = 0; i < count; ++i) {
      rig.produce(1, (rows + 1) % 2 == 1 ? "1" : "2");
      ++rows;
    }
  }
  void run_a_while() {
    log += "run\n";
    maybe_dying([&] {
      rig.settle(static_cast<Nanos>(random.below(8)) * kSecond);
      executor->tick();
    });
    settle_finished();
  }

  // ---- the model
  // Pipes of history alone stop by themselves when all of it is delivered.
  bool finished(const ModelPipe& pipe) {
    return !pipe.realtime && delivered(pipe).size() >= expected(pipe).size();
  }
  void settle_finished() {
    for (auto& [name, pipe] : model)
      if (!pipe.realtime && rig.view(name).message == kHistoryFinished) pipe.running = false;
  }
  std::vector<int> expected(const ModelPipe& pipe) const {
    std::vector<int> out;
    for (std::size_t n = 1; n <= rows; ++n) {
      if (pipe.odd_only && n % 2 == 0) continue;
      if (n <= pipe.boundary ? pipe.history : pipe.realtime) out.push_back(static_cast<int>(n));
    }
    return out;
  }
  // Each once, in the order in which it came first.
  std::vector<int> delivered(const ModelPipe& pipe) {
    std::vector<int> out;
    for (const std::string& target : pipe.targets)
      for (const std::string& row : rig.targets[target].rows) {
        const int n = std::atoi(row.c_str() + row.find('=') + 1);
        if (std::ranges::find(out, n) == out.end()) out.push_back(n);
      }
    return out;
  }
  void check_order(const std::string& name) {
    const ModelPipe& pipe = model.at(name);
    const std::vector<int> got = delivered(pipe), wanted = expected(pipe);
    ASSERT_LE(got.size(), wanted.size()) << name << "\n" << log;
    ASSERT_TRUE(std::equal(got.begin(), got.end(), wanted.begin()))
        << name << " delivered " << ::testing::PrintToString(got) << "\nof "
        << ::testing::PrintToString(wanted) << "\n"
        << log;
    if (kills > 0) return;
    std::size_t copies = 0;
    for (const std::string& target : pipe.targets) copies += rig.targets[target].rows.size();
    ASSERT_EQ(copies, got.size()) << name << ": repeated though nothing was killed\n" << log;
  }
  bool shows(const std::map<std::string, ModelPipe>& pipes) {
    if (!say("SHOW PIPES")) return false;
    const auto& rows_shown = last.results.front().rows;
    if (rows_shown.size() != pipes.size()) return false;
    for (const auto& row : rows_shown) {
      const auto found = pipes.find(row[0]);
      if (found == pipes.end()) return false;
      if (row[5].find("'" + found->second.target + "'") == std::string::npos &&
          row[5].find("=" + found->second.target + "}") == std::string::npos)
        return false;
      const bool wanted = found->second.running && !finished(found->second);
      if (found->second.realtime && (row[2] == "RUNNING") != wanted) return false;
    }
    return true;
  }
  void check_rows() { ASSERT_TRUE(shows(model)) << draw_table(last.results.front()) << log; }
  // A statement in which the daemon died was carried out or not; nothing else may have changed.
  void rows_of_model_or_interrupted() {
    if (interrupted && shows(*interrupted)) {
      model = *interrupted;
    } else {
      ASSERT_TRUE(shows(model)) << "after a kill\n" << draw_table(last.results.front()) << log;
    }
    interrupted.reset();
  }
  void finish() {
    for (auto& [name, pipe] : model) {
      if (!finished(pipe)) {
        ASSERT_TRUE(say("START PIPE " + name)) << log;
      }
      pipe.running = true;
    }
    for (int i = 0; i < 3; ++i) rig.settle(120 * kSecond);
    for (auto& [name, pipe] : model) {
      ASSERT_NO_FATAL_FAILURE(check_order(name));
      ASSERT_EQ(delivered(pipe).size(), expected(pipe).size())
          << name << ": " << rig.view(name).message << "\n"
          << log;
    }
  }

  SimRandom random;
  DaemonRig rig;
  std::unique_ptr<Catalogue> catalogue;
  std::unique_ptr<AuditLog> audit;
  std::unique_ptr<Executor> executor;
  Execution last;
  std::string log;
  std::map<std::string, ModelPipe> model;
  std::optional<std::map<std::string, ModelPipe>> interrupted;
  std::size_t rows = 0;
  int targets = 0, kills = 0;
};

void play(std::uint64_t seed, int steps) {
  Machine m(seed);
  ASSERT_NO_FATAL_FAILURE(TG_OK(m.open()));
  for (int i = 0; i < steps && !::testing::Test::HasFatalFailure(); ++i) {
    switch (m.random.below(10)) {
      case 0:
      case 1:
        m.create();
        break;
      case 2:
      case 3:
        m.start_or_stop();
        break;
      case 4:
        m.alter();
        break;
      case 5:
        if (m.random.chance(1, 2)) m.drop();
        break;
      case 6:
      case 7:
        m.produce();
        break;
      default:
        m.run_a_while();
    }
    if (::testing::Test::HasFatalFailure()) return;
    m.settle_finished();
    m.check_rows();
  }
  if (!::testing::Test::HasFatalFailure()) m.finish();
}

TEST(StatementRuns, FiveHundredSequencesWithKillsShowTheRowsAndDeliverTheDataOfTheModel) {
  const auto setting = [](const char* name, std::uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
  };
  const std::uint64_t one = setting("TIDEGATE_STATEMENT_SEED", 0);
  const std::uint64_t first = one != 0 ? one : 1000;
  const std::uint64_t count = one != 0 ? 1 : setting("TIDEGATE_STATEMENT_RUNS", 500);
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    play(seed, 40);
    if (::testing::Test::HasFatalFailure()) FAIL() << "TIDEGATE_STATEMENT_SEED=" << seed << " repeats it";
  }
}

}  // namespace
}  // namespace tidegate
