// SPDX-License-Identifier: Apache-2.0
// Users and their privileges.
#include "pipe/catalogue/password.h"
#include "pipe/statement/execute.h"
#include "pipe/statement/privileges.h"

namespace tidegate {
namespace {

constexpr std::string_view kRoot = "root";

Error at_user(Error error, const Name& user) {
  return at_mark(std::move(error), user.mark);
}

// root is no user of the catalogue: it administers whatever the catalogue says.
Status check_not_root(const Name& user) {
  if (user.text != kRoot) return {};
  return at_user(make_error(ErrorCode::kRefused, "root may do everything: it is neither created nor changed"),
                 user);
}

Result<const UserDefinition*> find_user(const CatalogueSnapshot& definitions, const Name& user) {
  const auto found = definitions.users.find(user.text);
  if (found != definitions.users.end()) return &found->second;
  std::vector<std::string> known;
  for (const auto& [name, definition] : definitions.users) known.push_back(name);
  return at_user(make_error(ErrorCode::kNotFound, "there is no user '" + user.text + "'" +
                                                      did_you_mean(user.text, known) +
                                                      " (names of users have case; LIST USER shows them)"),
                 user);
}

}  // namespace

Result<ResultTable> execute(ExecutorCore& core, const CreateUser& s, Dialect) {
  TG_CHECK(check_not_root(s.user));
  std::string hash;
  if (s.password) {
    auto hashed = hash_password(*core.env.random, *s.password);
    if (!hashed.ok()) return at_user(std::move(hashed).error(), s.user);
    hash = std::move(*hashed);
  }
  if (Status made = core.apply(change::CreateUser{s.user.text, std::move(hash)}); !made.ok())
    return at_user(std::move(made).error(), s.user);
  if (!core.hooks.os_user_exists || core.hooks.os_user_exists(s.user.text)) return done();
  return done("the operating system has no user '" + s.user.text +
              "' yet: statements are taken from its users, over the control socket");
}

Result<ResultTable> execute(ExecutorCore& core, const DropUser& s, Dialect) {
  TG_CHECK(check_not_root(s.user));
  const auto definitions = core.definitions();
  TG_CHECK(find_user(*definitions, s.user));
  TG_CHECK(core.apply(change::DropUser{s.user.text}));
  return done();
}

Result<ResultTable> execute(ExecutorCore& core, const ListUsers&, Dialect) {
  ResultTable out{{"user"}, {{std::string(kRoot)}}, {}};
  for (const auto& [name, user] : core.definitions()->users) out.rows.push_back({name});
  return out;
}

// Those that change nothing are no error as long as one of them does: GRANT ALL to who has some already.
Result<ResultTable> execute(ExecutorCore& core, const ChangePrivileges& s, Dialect) {
  TG_CHECK(check_not_root(s.user));
  const auto definitions = core.definitions();
  TG_TRY(const UserDefinition* const user, find_user(*definitions, s.user));
  std::set<PipePrivilege> named, effective;
  for (const Privilege privilege : s.privileges) {
    const PipePrivilege stored = stored_privilege(privilege);
    named.insert(stored);
    if (user->privileges.contains(stored) != s.grant) effective.insert(stored);
  }
  if (effective.empty()) effective = named;  // the catalogue says what is wrong
  Status changed = s.grant ? core.apply(change::Grant{user->name, effective})
                           : core.apply(change::Revoke{user->name, effective});
  if (!changed.ok()) return at_user(std::move(changed).error(), s.user);
  return done();
}

Result<ResultTable> execute(ExecutorCore& core, const ListPrivileges& s, Dialect) {
  ResultTable out{{"role", "privilege"}, {}, {}};
  if (s.user.text == kRoot) {
    out.message = "root may do everything";
    return out;
  }
  const auto definitions = core.definitions();
  TG_TRY(const UserDefinition* const user, find_user(*definitions, s.user));
  for (const PipePrivilege privilege : user->privileges)
    out.rows.push_back({"", std::string(privilege_name(privilege))});
  return out;
}

}  // namespace tidegate
