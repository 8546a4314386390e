// SPDX-License-Identifier: Apache-2.0
#include "pipe/engine/pipe_run.h"

namespace tidegate {

struct PipeRun::Run {
  std::unique_ptr<Connector> connector;
  std::unique_ptr<RecordSource> source;
  std::unique_ptr<Pipe> pipe;
  std::unique_ptr<PipeRunner> runner;  // last: uses the others
};

PipeRun::PipeRun(Env env, CarriedJournal from, PipeRunParts parts)
    : env_(env), from_(from), parts_(std::move(parts)) {
  last_.name = parts_.options.name;
  last_.state = PipeState::kStopped;
}

PipeRun::~PipeRun() = default;

void PipeRun::set_range(Lsn start_after, Lsn end_at) {
  parts_.options.start_after = start_after;
  parts_.options.end_at = end_at;
}

Status PipeRun::start() {
  auto run = std::make_shared<Run>();
  const Status made = [&]() -> Status {
    TG_TRY(PipeRunParts::Made parts, parts_.make());
    run->connector = std::move(parts.connector);
    run->source = std::make_unique<JournalRecords>(*from_.journal, *from_.records);
    run->pipe = std::make_unique<Pipe>(env_, parts_.options, *run->source, *parts.positions, *run->connector);
    return run->pipe->open();
  }();
  const std::scoped_lock lock(mutex_);
  if (!made.ok()) {
    last_.message = made.error().text();
    return made;
  }
  run->runner = parts_.make_runner(env_, *run->pipe);
  run_ = std::move(run);
  return {};
}

Status PipeRun::stop() {
  std::shared_ptr<Run> run;
  {
    const std::scoped_lock lock(mutex_);
    run = run_;
  }
  if (!run) return {};
  Status stopped = run->runner->stop(parts_.stop_limit);
  if (!stopped.ok() && stopped.error().code == ErrorCode::kTimeout) return stopped;
  const std::scoped_lock lock(mutex_);
  last_ = run->pipe->status();
  last_.state = PipeState::kStopped;
  run_.reset();
  return stopped;
}

void PipeRun::notify() {
  const std::scoped_lock lock(mutex_);
  if (run_) run_->runner->notify();
}

PipeStatus PipeRun::status() const {
  const std::scoped_lock lock(mutex_);
  return run_ ? run_->pipe->status() : last_;
}

}  // namespace tidegate
