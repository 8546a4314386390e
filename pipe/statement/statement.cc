// SPDX-License-Identifier: Apache-2.0
#include "pipe/statement/statement.h"

#include <algorithm>
#include <array>
#include <utility>

namespace tidegate {
namespace {

// What is known of each alternative of Statement, in its order.
struct Kind {
  std::string_view name;
  std::optional<Dialect> home;
};

constexpr std::optional<Dialect> kBoth;
constexpr std::array kKinds = {
    Kind{"CREATE PIPE", Dialect::kDataSync},
    Kind{"ALTER PIPE", Dialect::kDataSync},
    Kind{"START PIPE", kBoth},
    Kind{"STOP PIPE", kBoth},
    Kind{"DROP PIPE", kBoth},
    Kind{"SHOW PIPES", kBoth},
    Kind{"SHOW PIPEPLUGINS", Dialect::kDataSync},
    Kind{"CREATE PIPEPLUGIN", Dialect::kDataSync},
    Kind{"DROP PIPEPLUGIN", Dialect::kDataSync},
    Kind{"CREATE PIPESINK", Dialect::kEdgeCloud},
    Kind{"SHOW PIPESINKTYPE", Dialect::kEdgeCloud},
    Kind{"SHOW PIPESINKS", Dialect::kEdgeCloud},
    Kind{"DROP PIPESINK", Dialect::kEdgeCloud},
    Kind{"CREATE PIPE TO", Dialect::kEdgeCloud},
    Kind{"START PIPESERVER", Dialect::kEdgeCloud},
    Kind{"STOP PIPESERVER", Dialect::kEdgeCloud},
    Kind{"SHOW PIPESERVER STATUS", Dialect::kEdgeCloud},
    Kind{"LOAD CONFIGURATION", kBoth},
    Kind{"CREATE USER", kBoth},
    Kind{"DROP USER", kBoth},
    Kind{"LIST USER", kBoth},
    Kind{"GRANT", kBoth},
    Kind{"LIST PRIVILEGES", kBoth},
    Kind{"SELECT processing_engine_logs", kBoth},
};
static_assert(kKinds.size() == std::variant_size_v<Statement>);

}  // namespace

std::string_view dialect_name(Dialect dialect) {
  return dialect == Dialect::kDataSync ? "data-sync" : "edge-cloud";
}

std::string fold_name(std::string_view name) {
  std::string out(name);
  std::ranges::transform(out, out.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

Mark mark_of(const Clause& clause, std::string_view attribute) {
  const auto found = clause.marks.find(attribute);
  return found == clause.marks.end() ? clause.mark : found->second;
}

Status check_clause(const Clause& clause, const PluginInfo& plugin) {
  std::optional<AttributeFault> fault = find_fault(clause.attributes, plugin);
  if (!fault) return {};
  const Mark mark = mark_of(clause, fault->name);
  if (mark.line != 0) return std::move(fault->error).at_line(mark.line, mark.column);
  return std::move(fault->error);
}

std::string_view privilege_name(Privilege privilege) {
  switch (privilege) {
    case Privilege::kCreatePipe:
      return "CREATE_PIPE";
    case Privilege::kStartPipe:
      return "START_PIPE";
    case Privilege::kStopPipe:
      return "STOP_PIPE";
    case Privilege::kDropPipe:
      return "DROP_PIPE";
    case Privilege::kShowPipes:
      return "SHOW_PIPES";
  }
  std::unreachable();
}

std::string_view statement_name(const Statement& statement) {
  const auto* const change = std::get_if<ChangePrivileges>(&statement);
  if (change != nullptr && !change->grant) return "REVOKE";
  return kKinds.at(statement.index()).name;
}

std::optional<Dialect> home_dialect(const Statement& statement) {
  return kKinds.at(statement.index()).home;
}

}  // namespace tidegate
