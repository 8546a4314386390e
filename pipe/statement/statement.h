// SPDX-License-Identifier: Apache-2.0
// Statement: one parsed command of either dialect. Plain values; what they mean is the executor's.
// Grammar and examples: doc/statements.md.
//
// Names (of pipes, sinks, plugins, users) are kept as written and compare without case: fold_name(). Marks
// say where a thing stood in the text and take no part in comparison: two statements are equal when they say
// the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "pipe/engine/attributes.h"

namespace tidegate {

// Both understand every statement; the dialect decides what a table shows and of which form errors speak.
enum class Dialect : std::uint8_t { kDataSync, kEdgeCloud };
std::string_view dialect_name(Dialect dialect);  // "data-sync", "edge-cloud"

struct Mark {
  std::uint32_t line = 0;    // 1-based; 0: nowhere (made by a program)
  std::uint32_t column = 0;  // 1-based, in characters
  bool operator==(const Mark&) const { return true; }
};

struct Name {
  std::string text;  // never empty
  Mark mark;
  bool operator==(const Name&) const = default;
};

// The form in which names compare: ASCII letters in lower case.
std::string fold_name(std::string_view name);

// WITH CONNECTOR ('connector'='...', 'connector.ip'='...'): the attributes by their bare names and where each
// name stood; "" is the plugin's.
struct Clause {
  Attributes attributes;
  std::map<std::string, Mark, std::less<>> marks;
  Mark mark;  // of the word behind WITH
  bool operator==(const Clause&) const = default;
};

// The position of an attribute's name, of the plugin's ("") or, where it does not stand there, of the clause.
Mark mark_of(const Clause& clause, std::string_view attribute);
// check_attributes() with the line and column of what is wrong.
Status check_clause(const Clause& clause, const PluginInfo& plugin);

// ---- pipes and plugins (Data Sync)

struct CreatePipe {
  Name pipe;
  bool if_not_exists = false;
  Clause extractor, processor, connector;  // not written: empty, without a mark; the connector always is
  bool operator==(const CreatePipe&) const = default;
};

struct AlterPipe {
  enum class Mode : std::uint8_t { kModify, kReplace };
  struct Change {
    PluginKind kind = PluginKind::kConnector;
    Mode mode = Mode::kModify;  // modify: what is not named stays; replace: it goes
    Clause clause;
    bool operator==(const Change&) const = default;
  };
  Name pipe;
  bool if_exists = false;
  std::vector<Change> changes;  // at least one, each kind at most once
  bool operator==(const AlterPipe&) const = default;
};

struct StartPipe {
  Name pipe;
  bool if_exists = false;
  bool operator==(const StartPipe&) const = default;
};
struct StopPipe {
  Name pipe;
  bool if_exists = false;
  bool operator==(const StopPipe&) const = default;
};
struct DropPipe {
  Name pipe;
  bool if_exists = false;
  bool operator==(const DropPipe&) const = default;
};

struct ShowPipes {
  std::optional<Name> pipe;     // SHOW PIPE p
  std::optional<Name> used_by;  // SHOW PIPES WHERE CONNECTOR USED BY p
  bool operator==(const ShowPipes&) const = default;
};

struct ShowPipePlugins {
  bool operator==(const ShowPipePlugins&) const = default;
};
struct CreatePipePlugin {
  Name plugin;
  bool if_not_exists = false;
  std::string class_name;
  std::optional<std::string> uri;
  bool operator==(const CreatePipePlugin&) const = default;
};
struct DropPipePlugin {
  Name plugin;
  bool if_exists = false;
  bool operator==(const DropPipePlugin&) const = default;
};

// ---- sinks and the server (Edge-Cloud)

struct SinkAttribute {
  Mark mark;
  std::string value;
  bool operator==(const SinkAttribute&) const = default;
};
struct CreatePipeSink {
  Name sink;
  Name type;                                        // IoTDB
  std::map<std::string, SinkAttribute> attributes;  // by name in lower case: ip, port
  bool operator==(const CreatePipeSink&) const = default;
};
struct ShowPipeSinkTypes {
  bool operator==(const ShowPipeSinkTypes&) const = default;
};
struct ShowPipeSinks {
  std::optional<Name> sink;
  bool operator==(const ShowPipeSinks&) const = default;
};
struct DropPipeSink {
  Name sink;
  bool operator==(const DropPipeSink&) const = default;
};

// The start of "FROM (select ** from root where time >= ...)": an integer in the unit of the data or a date,
// checked to be one of them (base/timestamp.h: parse_event_time gives the number).
struct StartTime {
  std::string text;
  bool exclusive = false;  // '>' was written
  Mark mark;
  bool operator==(const StartTime&) const = default;
};
struct CreatePipeTo {
  Name pipe;
  bool if_not_exists = false;
  Name sink;
  std::optional<StartTime> start;
  std::optional<bool> sync_del_op;  // WITH SyncDelOp=...
  bool operator==(const CreatePipeTo&) const = default;
};

struct StartPipeServer {
  bool operator==(const StartPipeServer&) const = default;
};
struct StopPipeServer {
  bool operator==(const StopPipeServer&) const = default;
};
struct ShowPipeServer {
  bool operator==(const ShowPipeServer&) const = default;
};
struct LoadConfiguration {
  bool operator==(const LoadConfiguration&) const = default;
};

// ---- users and privileges

enum class Privilege : std::uint8_t { kCreatePipe, kStartPipe, kStopPipe, kDropPipe, kShowPipes };
std::string_view privilege_name(Privilege privilege);  // "CREATE_PIPE"

struct CreateUser {
  Name user;
  std::optional<std::string> password;
  bool operator==(const CreateUser&) const = default;
};
struct DropUser {
  Name user;
  bool operator==(const DropUser&) const = default;
};
struct ListUsers {
  bool operator==(const ListUsers&) const = default;
};
struct ChangePrivileges {
  bool grant = true;                  // false: REVOKE
  std::vector<Privilege> privileges;  // at least one, ascending, each once
  Name user;
  bool operator==(const ChangePrivileges&) const = default;
};
struct ListPrivileges {
  Name user;
  bool operator==(const ListPrivileges&) const = default;
};

// ---- the log table

struct SelectLogs {
  std::optional<std::uint64_t> limit;
  bool operator==(const SelectLogs&) const = default;
};

using Statement = std::variant<CreatePipe, AlterPipe, StartPipe, StopPipe, DropPipe, ShowPipes,
                               ShowPipePlugins, CreatePipePlugin, DropPipePlugin, CreatePipeSink,
                               ShowPipeSinkTypes, ShowPipeSinks, DropPipeSink, CreatePipeTo, StartPipeServer,
                               StopPipeServer, ShowPipeServer, LoadConfiguration, CreateUser, DropUser,
                               ListUsers, ChangePrivileges, ListPrivileges, SelectLogs>;

// "CREATE PIPE", "SHOW PIPESERVER STATUS" ...: for logs and the audit.
std::string_view statement_name(const Statement& statement);
// The dialect that a statement comes from; empty where both have it or it is neither's.
std::optional<Dialect> home_dialect(const Statement& statement);

}  // namespace tidegate
