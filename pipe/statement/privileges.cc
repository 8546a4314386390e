// SPDX-License-Identifier: Apache-2.0
#include "pipe/statement/privileges.h"

#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pipe/statement/lexer.h"

namespace tidegate {
namespace {

enum class Needs : std::uint8_t { kCreate, kStart, kStop, kDrop, kShow, kAdmin };

// In the order of Statement. What loads code into the daemon, closes the door to every sender or decides on
// others is for those who administer.
constexpr std::array kNeeds = {
    Needs::kCreate,  // CREATE PIPE
    Needs::kCreate,  // ALTER PIPE
    Needs::kStart,   // START PIPE
    Needs::kStop,    // STOP PIPE
    Needs::kDrop,    // DROP PIPE
    Needs::kShow,    // SHOW PIPES
    Needs::kShow,    // SHOW PIPEPLUGINS
    Needs::kAdmin,   // CREATE PIPEPLUGIN
    Needs::kAdmin,   // DROP PIPEPLUGIN
    Needs::kCreate,  // CREATE PIPESINK
    Needs::kShow,    // SHOW PIPESINKTYPE
    Needs::kShow,    // SHOW PIPESINKS
    Needs::kDrop,    // DROP PIPESINK
    Needs::kCreate,  // CREATE PIPE TO
    Needs::kAdmin,   // START PIPESERVER
    Needs::kAdmin,   // STOP PIPESERVER
    Needs::kShow,    // SHOW PIPESERVER STATUS
    Needs::kAdmin,   // LOAD CONFIGURATION
    Needs::kAdmin,   // CREATE USER
    Needs::kAdmin,   // DROP USER
    Needs::kAdmin,   // LIST USER
    Needs::kAdmin,   // GRANT, REVOKE
    Needs::kAdmin,   // LIST PRIVILEGES
    Needs::kShow,    // SELECT processing_engine_logs
};
static_assert(kNeeds.size() == std::variant_size_v<Statement>);

Privilege privilege_of(Needs needs) {
  switch (needs) {
    case Needs::kCreate:
      return Privilege::kCreatePipe;
    case Needs::kStart:
      return Privilege::kStartPipe;
    case Needs::kStop:
      return Privilege::kStopPipe;
    case Needs::kDrop:
      return Privilege::kDropPipe;
    case Needs::kShow:
      return Privilege::kShowPipes;
    case Needs::kAdmin:
      break;
  }
  std::unreachable();
}

bool holds(const Caller& caller, const CatalogueSnapshot& definitions, Privilege privilege) {
  if (caller.is_admin) return true;
  const auto user = definitions.users.find(caller.user);
  return user != definitions.users.end() && user->second.privileges.contains(stored_privilege(privilege));
}

// Everyone may see what he may do himself.
bool asks_about_himself(const Caller& caller, const Statement& statement) {
  const auto* const list = std::get_if<ListPrivileges>(&statement);
  return list != nullptr && list->user.text == caller.user;
}

// Attributes with which a pipe reads or writes files of this machine with the daemon's rights.
std::optional<std::string> reaches_files(const Clause& clause) {
  for (const auto& [name, value] : clause.attributes.values) {
    const bool reference =
        value.starts_with("file:") || value.starts_with("env:") || value.starts_with("credential:");
    const bool path = name == "directory" || name.ends_with("-file") || name.ends_with("-path");
    if (reference || path) return name;
  }
  return std::nullopt;
}

std::optional<std::string> reaches_files(const Statement& statement) {
  std::vector<const Clause*> clauses;
  if (const auto* create = std::get_if<CreatePipe>(&statement))
    clauses = {&create->extractor, &create->processor, &create->connector};
  if (const auto* alter = std::get_if<AlterPipe>(&statement))
    for (const AlterPipe::Change& change : alter->changes) clauses.push_back(&change.clause);
  for (const Clause* clause : clauses)
    if (auto name = reaches_files(*clause)) return name;
  return std::nullopt;
}

}  // namespace

PipePrivilege stored_privilege(Privilege privilege) {
  switch (privilege) {
    case Privilege::kCreatePipe:
      return PipePrivilege::kCreatePipe;
    case Privilege::kStartPipe:
      return PipePrivilege::kStartPipe;
    case Privilege::kStopPipe:
      return PipePrivilege::kStopPipe;
    case Privilege::kDropPipe:
      return PipePrivilege::kDropPipe;
    case Privilege::kShowPipes:
      return PipePrivilege::kShowPipes;
  }
  std::unreachable();
}

bool may_show_pipes(const Caller& caller, const CatalogueSnapshot& definitions) {
  return holds(caller, definitions, Privilege::kShowPipes);
}

Status check_privilege(const Caller& caller, const CatalogueSnapshot& definitions,
                       const Statement& statement) {
  if (caller.is_admin || asks_about_himself(caller, statement)) return {};
  const Needs needs = kNeeds.at(statement.index());
  const std::string name(statement_name(statement));
  if (needs == Needs::kAdmin)
    return make_error(ErrorCode::kUnauthorized, "user '" + caller.user + "' may not give " + name +
                                                    ": this is for root and the daemon's own user (sudo)");
  const Privilege privilege = privilege_of(needs);
  if (holds(caller, definitions, privilege)) {
    const auto file = reaches_files(statement);
    if (!file) return {};
    return make_error(
        ErrorCode::kUnauthorized,
        "user '" + caller.user + "' may not give '" + *file +
            "', which reads or writes files of this machine with the daemon's rights: this is for root "
            "and the daemon's own user (sudo)");
  }
  const std::string word(privilege_name(privilege));
  std::string grant = "GRANT " + word + " TO USER " + quote_name(caller.user);
  if (!definitions.users.contains(caller.user))
    grant = "CREATE USER " + quote_name(caller.user) + "; " + grant;
  return make_error(ErrorCode::kUnauthorized, "user '" + caller.user + "' lacks the privilege " + word +
                                                  " for " + name +
                                                  ": root or the daemon's own user grants it: " + grant);
}

bool is_change(const Statement& statement) {
  return !std::holds_alternative<ShowPipes>(statement) &&
         !std::holds_alternative<ShowPipePlugins>(statement) &&
         !std::holds_alternative<ShowPipeSinkTypes>(statement) &&
         !std::holds_alternative<ShowPipeSinks>(statement) &&
         !std::holds_alternative<ShowPipeServer>(statement) &&
         !std::holds_alternative<ListUsers>(statement) &&
         !std::holds_alternative<ListPrivileges>(statement) && !std::holds_alternative<SelectLogs>(statement);
}

}  // namespace tidegate
