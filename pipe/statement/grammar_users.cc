// SPDX-License-Identifier: Apache-2.0
// Users and privileges, in the forms of IoTDB 1.2 (GRANT USER n PRIVILEGES ...) and 1.3 (GRANT ... TO USER
// n).
#include <algorithm>
#include <array>

#include "pipe/statement/grammar.h"
#include "pipe/statement/keywords.h"

namespace tidegate {
namespace {

constexpr std::array kPrivileges = {Privilege::kCreatePipe, Privilege::kStartPipe, Privilege::kStopPipe,
                                    Privilege::kDropPipe, Privilege::kShowPipes};

}  // namespace

ParsedStatement Grammar::create_user() {
  TG_TRY(Name user, in_.expect_name(Wanted::kNewName, "the name of a user"));
  in_.want(Wanted::kText, "a password in quotes");
  if (in_.token().kind != TokenKind::kText) return CreateUser{std::move(user), {}};
  TG_TRY(std::string password, in_.expect_text("a password in quotes"));
  return CreateUser{std::move(user), std::move(password)};
}

ParsedStatement Grammar::list() {
  if (in_.accept("USER")) return ListUsers();
  if (!in_.accept("PRIVILEGES")) return unexpected_behind("LIST");
  in_.accept("OF");
  TG_CHECK(in_.expect("USER"));
  TG_TRY(Name user, user_name());
  TG_CHECK(any_path());
  return ListPrivileges{std::move(user)};
}

ParsedStatement Grammar::change_privileges(bool grant) {
  const std::string_view verb = grant ? "GRANT" : "REVOKE";
  if (in_.accept("USER")) {
    TG_TRY(Name user, user_name());
    TG_CHECK(in_.expect("PRIVILEGES"));
    TG_TRY(std::vector<Privilege> list, privileges());
    TG_CHECK(any_path());
    return ChangePrivileges{grant, std::move(list), std::move(user)};
  }
  if (in_.at_keyword("ROLE")) return unexpected_behind(verb);
  TG_TRY(std::vector<Privilege> list, privileges());
  TG_CHECK(any_path());
  TG_CHECK(in_.expect(grant ? "TO" : "FROM"));
  TG_CHECK(in_.expect("USER"));
  TG_TRY(Name user, user_name());
  return ChangePrivileges{grant, std::move(list), std::move(user)};
}

Result<std::vector<Privilege>> Grammar::privileges() {
  std::vector<Privilege> out;
  do {
    const Token token = in_.token();
    const auto* const named =
        std::ranges::find_if(kPrivileges, [&](Privilege p) { return in_.accept(privilege_name(p)); });
    if (named != kPrivileges.end()) {
      out.push_back(*named);
    } else if (in_.accept("ALL") || in_.accept("USE_PIPE")) {
      out.assign(kPrivileges.begin(), kPrivileges.end());
    } else if (token.kind == TokenKind::kWord && is_database_privilege(upper_word(token.text))) {
      return in_.refuse(ErrorCode::kUnsupported, token.mark,
                        "the privilege " + upper_word(token.text) +
                            " belongs to the database, not to the gateway: grant it there");
    } else {
      return in_.unexpected();
    }
  } while (in_.accept_symbol(","));
  std::ranges::sort(out);
  const auto twice = std::ranges::unique(out);
  out.erase(twice.begin(), twice.end());
  return out;
}

// [ON root.**]: IoTDB's form; the privileges of pipes know no paths.
Status Grammar::any_path() {
  if (!in_.accept("ON")) return {};
  const Mark mark = in_.token().mark;
  in_.want(Wanted::kPath, "root.**");
  if (!in_.at_keyword("ROOT")) return in_.unexpected();
  in_.advance();
  if (!in_.accept_symbol(".") || in_.accept_symbol("**")) return {};
  return in_.refuse(ErrorCode::kInvalidArgument, mark,
                    "the privileges of pipes do not depend on a path: write ON root.** or leave ON out");
}

}  // namespace tidegate
