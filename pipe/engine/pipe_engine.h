// SPDX-License-Identifier: Apache-2.0
// PipeEngine: what statements can do to the pipes of a running daemon, and what they can see of them.
//
// The catalogue says which pipes there are; the engine makes them so. Order of every change: check() here,
// then the catalogue, then the engine. A crash between the two is mended at the next start, when restore()
// gets what the catalogue holds and removes what belongs to no pipe any more. Names are those of the
// catalogue: as written, compared without case.
//
// Thread rules: any thread, one change at a time (the executor's lock); views from any.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "pipe/engine/attributes.h"
#include "pipe/engine/pipe.h"

namespace tidegate {

struct PipeSpec {
  std::string name;
  std::int64_t created_micros = 0;             // Unix time
  Attributes extractor, processor, connector;  // with the plugins' own names (with_own_names)
  Lsn history_boundary = 0;       // head of the journal at creation: history is at or below, realtime above
  bool running = false;           // wanted
  std::string exception_message;  // of the last automatic stop
  bool operator==(const PipeSpec&) const = default;
};

struct PipeView {
  std::string name;
  PipeState state = PipeState::kStopped;
  std::string message;  // why it waits or stopped; empty: all is well
  std::string warning;  // losses, history that starts later than asked; stays
  std::uint64_t remaining_events = 0;
  std::optional<double> remaining_seconds;  // from the rate of the last minute; empty: not known
  Lsn position = 0;                         // last LSN of this journal that it has done with
  Lsn history_boundary = 0;
  std::string carried_by;  // "stream 3 of the link to 10.0.0.9:9780", "outbox, then ..."
  std::uint64_t written_events = 0, dead_letters = 0, filtered_batches = 0, lost_lsns = 0;
  std::optional<std::int64_t> newest_event_ns;  // event time of the newest value delivered
};

// START/STOP PIPESERVER.
struct PipeServerView {
  bool running = false;
  std::string address;
};

class PipeEngine {
 public:
  virtual ~PipeEngine() = default;

  // ---- what can be known before anything is done
  virtual std::vector<PluginInfo> plugins() const = 0;  // built-in and external ones
  // Plugins and attributes exist, values fit and go together; the same spec with own names and defaults left
  // out. kInvalidArgument says what to change.
  virtual Result<PipeSpec> check(PipeSpec spec) const = 0;
  // Why START would be refused at once (a connector that comes with a later version); success: it would not.
  virtual Status may_start(const PipeSpec& checked) const = 0;
  // Whether the target answers. May take some seconds. For CREATE PIPE ... TO.
  virtual Status reach(const Attributes& connector) = 0;
  virtual Lsn journal_head() const = 0;

  // ---- changes; the specs are checked ones
  // At start, once, before anything else: all pipes of the catalogue. A pipe that cannot be made is there all
  // the same, STOPPED with the reason.
  virtual void restore(const std::vector<PipeSpec>& pipes) = 0;
  virtual Status create(const PipeSpec& spec) = 0;  // STOPPED, or running where the spec says so
  virtual Status start(const std::string& name) = 0;
  virtual Status stop(
      const std::string& name) = 0;  // returns when nothing of it is under way any more, or kTimeout
  virtual Status alter(const PipeSpec& spec) = 0;    // goes on from its position as far as that is possible
  virtual Status drop(const std::string& name) = 0;  // with its outbox, position and stream
  // The engine stopped a pipe by itself; called from any of its threads, must not call back into the engine.
  virtual void on_automatic_stop(
      std::function<void(const std::string& name, const std::string& message)> tell) = 0;

  // ---- views
  virtual std::vector<PipeView> pipes() const = 0;
  // Names of the pipes that share the connector instance of this one, itself included.
  virtual std::vector<std::string> sharing_connector(const std::string& name) const = 0;

  // ---- the listener of a receiver; nothing and kUnsupported on a daemon that has none
  virtual std::optional<PipeServerView> server() const = 0;
  virtual Status start_server() = 0;
  virtual Status stop_server() = 0;  // kBusy while a sender has a live session
};

}  // namespace tidegate
