// SPDX-License-Identifier: Apache-2.0
// What the catalogue holds: definitions, users and privileges. Plain values, no thread rules.
//
// Names of pipes, pipesinks and plugins compare without case (ASCII letters; others as they are) and are kept
// as written. Users have the names of the operating system, which have case. Nothing here is on the data
// path: positions, counters and stream state live in the journal.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "pipe/engine/attributes.h"
#include "pipe/journal/journal.h"
#include "protocol/native/format.h"

namespace tidegate {

// Less, without the case of ASCII letters.
struct NameLess {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const;
};
bool same_name(std::string_view a, std::string_view b);

template <class T>
using ByName = std::map<std::string, T, NameLess>;

enum class WantedState : std::uint8_t { kStopped, kRunning };
enum class PipeDialect : std::uint8_t { kDataSync, kEdgeCloud };
enum class PipeOrigin : std::uint8_t { kTyped, kYaml };
enum class PipePrivilege : std::uint8_t { kCreatePipe, kStartPipe, kStopPipe, kDropPipe, kShowPipes };

// As they stand in the database: "stopped", "data-sync", "typed", "CREATE_PIPE" ...
std::string_view wanted_state_name(WantedState state);
std::string_view dialect_name(PipeDialect dialect);
std::string_view origin_name(PipeOrigin origin);
std::string_view privilege_name(PipePrivilege privilege);
std::optional<WantedState> parse_wanted_state(std::string_view name);
std::optional<PipeDialect> parse_dialect(std::string_view name);
std::optional<PipeOrigin> parse_origin(std::string_view name);
std::optional<PipePrivilege> parse_privilege(std::string_view name);  // without case

struct PipeDefinition {
  std::string name;
  std::int64_t created_micros = 0;  // Unix time
  Attributes extractor, processor, connector;
  WantedState wanted = WantedState::kStopped;
  std::string exception_message;  // why it was last stopped automatically; empty: it was not
  PipeDialect dialect = PipeDialect::kDataSync;
  PipeOrigin origin = PipeOrigin::kTyped;
  std::string yaml_hash;     // of its definition; not empty just where origin is kYaml
  std::string pipesink;      // the pipesink that it was made with; empty: none
  Lsn history_boundary = 0;  // head of the journal at creation
  StreamId stream = 0;       // of the air-gap link; 0: none
  std::string outbox;        // name of its folder among the outboxes; empty: none
  bool operator==(const PipeDefinition&) const = default;
};

struct PipesinkDefinition {
  std::string name;
  std::string type;  // as written: "IoTDB"
  std::map<std::string, std::string> attributes;
  bool operator==(const PipesinkDefinition&) const = default;
};

struct PluginDefinition {
  std::string name;
  std::string class_name;
  std::string file;
  std::string sha256;  // of the file, 64 lower-case hex digits
  std::int64_t created_micros = 0;
  bool operator==(const PluginDefinition&) const = default;
};

struct UserDefinition {
  std::string name;
  std::string password_hash;  // pipe/catalogue/password.h; empty: known by uid only
  std::set<PipePrivilege> privileges;
  bool operator==(const UserDefinition&) const = default;
};

// A stream number that a dropped or altered pipe had. Never given to another one.
struct SpentStream {
  std::string pipe;
  std::int64_t dropped_micros = 0;
  bool operator==(const SpentStream&) const = default;
};

struct CatalogueSnapshot {
  ByName<PipeDefinition> pipes;
  ByName<PipesinkDefinition> pipesinks;
  ByName<PluginDefinition> plugins;
  std::map<std::string, UserDefinition> users;
  std::map<StreamId, SpentStream> spent_streams;
  std::map<std::string, std::string> settings;
  bool operator==(const CatalogueSnapshot&) const = default;
};

// Whether this can be a catalogue: texts are UTF-8 without NUL, names have 1 to 255 bytes and no control
// characters, keys equal the names of what they hold, references lead somewhere, no stream number or outbox
// folder has two owners. kInvalidArgument, naming what is wrong.
Status check_snapshot(const CatalogueSnapshot& snapshot);

}  // namespace tidegate
