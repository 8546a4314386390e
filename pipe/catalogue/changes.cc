// SPDX-License-Identifier: Apache-2.0
#include "pipe/catalogue/changes.h"

#include <algorithm>

namespace tidegate {
namespace {

class Applier {
 public:
  explicit Applier(CatalogueSnapshot& to) : to_(to) {}

  Status operator()(const change::CreatePipe& c) {
    TG_CHECK(absent(to_.pipes, "pipe", c.pipe.name));
    put_pipe(c.pipe);
    return {};
  }
  Status operator()(const change::AlterPipe& c) {
    TG_TRY(PipeDefinition * pipe, find(to_.pipes, "pipe", c.pipe.name));
    if (pipe->stream != c.pipe.stream) spend(*pipe, c.at_micros);
    PipeDefinition altered = c.pipe;
    altered.name = pipe->name;
    altered.created_micros = pipe->created_micros;
    put_pipe(std::move(altered));
    return {};
  }
  Status operator()(const change::SetPipeState& c) {
    TG_TRY(PipeDefinition * pipe, find(to_.pipes, "pipe", c.name));
    pipe->wanted = c.wanted;
    pipe->exception_message = c.exception_message;
    return {};
  }
  Status operator()(const change::DropPipe& c) {
    TG_TRY(PipeDefinition * pipe, find(to_.pipes, "pipe", c.name));
    spend(*pipe, c.at_micros);
    to_.pipes.erase(to_.pipes.find(c.name));
    return {};
  }
  Status operator()(const change::CreatePipesink& c) {
    TG_CHECK(absent(to_.pipesinks, "pipesink", c.pipesink.name));
    to_.pipesinks.emplace(c.pipesink.name, c.pipesink);
    return {};
  }
  Status operator()(const change::DropPipesink& c) {
    TG_CHECK(find(to_.pipesinks, "pipesink", c.name));
    TG_CHECK(unused("pipesink", c.name,
                    [&](const PipeDefinition& pipe) { return same_name(pipe.pipesink, c.name); }));
    to_.pipesinks.erase(to_.pipesinks.find(c.name));
    return {};
  }
  Status operator()(const change::CreatePlugin& c) {
    TG_CHECK(absent(to_.plugins, "plugin", c.plugin.name));
    to_.plugins.emplace(c.plugin.name, c.plugin);
    return {};
  }
  Status operator()(const change::DropPlugin& c) {
    TG_CHECK(find(to_.plugins, "plugin", c.name));
    TG_CHECK(unused("plugin", c.name, [&](const PipeDefinition& pipe) {
      return names_plugin(pipe.extractor, c.name) || names_plugin(pipe.processor, c.name) ||
             names_plugin(pipe.connector, c.name);
    }));
    to_.plugins.erase(to_.plugins.find(c.name));
    return {};
  }
  Status operator()(const change::CreateUser& c) {
    TG_CHECK(absent(to_.users, "user", c.name));
    to_.users.emplace(c.name, UserDefinition{c.name, c.password_hash, {}});
    return {};
  }
  Status operator()(const change::SetPassword& c) {
    TG_TRY(UserDefinition * user, find(to_.users, "user", c.name));
    user->password_hash = c.password_hash;
    return {};
  }
  Status operator()(const change::DropUser& c) {
    TG_CHECK(find(to_.users, "user", c.name));
    to_.users.erase(c.name);
    return {};
  }
  Status operator()(const change::Grant& c) {
    TG_TRY(UserDefinition * user, find(to_.users, "user", c.user));
    for (const PipePrivilege privilege : c.privileges)
      if (!user->privileges.insert(privilege).second)
        return make_error(ErrorCode::kAlreadyExists, "user '" + c.user + "' has the privilege " +
                                                         std::string(privilege_name(privilege)) + " already");
    return {};
  }
  Status operator()(const change::Revoke& c) {
    TG_TRY(UserDefinition * user, find(to_.users, "user", c.user));
    for (const PipePrivilege privilege : c.privileges)
      if (user->privileges.erase(privilege) == 0)
        return make_error(ErrorCode::kNotFound, "user '" + c.user + "' does not have the privilege " +
                                                    std::string(privilege_name(privilege)));
    return {};
  }
  Status operator()(const change::SetSetting& c) {
    to_.settings[c.key] = c.value;
    return {};
  }
  Status operator()(const change::ClearSetting& c) {
    to_.settings.erase(c.key);
    return {};
  }

 private:
  template <class Map>
  static Result<typename Map::mapped_type*> find(Map& in, const std::string& what, const std::string& name) {
    const auto found = in.find(name);
    if (found == in.end()) return make_error(ErrorCode::kNotFound, "there is no " + what + " '" + name + "'");
    return &found->second;
  }
  template <class Map>
  static Status absent(const Map& in, const std::string& what, const std::string& name) {
    const auto found = in.find(name);
    if (found == in.end()) return {};
    return make_error(ErrorCode::kAlreadyExists, "there is a " + what + " '" + found->first + "' already");
  }
  template <class Uses>
  Status unused(const std::string& what, const std::string& name, const Uses& uses) const {
    std::string users;
    for (const auto& [pipe_name, pipe] : to_.pipes)
      if (uses(pipe)) users += (users.empty() ? "'" : ", '") + pipe_name + "'";
    if (users.empty()) return {};
    return make_error(ErrorCode::kBusy,
                      what + " '" + name + "' is used by pipe " + users + "; drop what uses it first");
  }
  // `a,b#1`: a chain of processors names each of its plugins.
  static bool names_plugin(const Attributes& part, const std::string& plugin) {
    std::string_view rest = part.plugin;
    while (!rest.empty()) {
      std::string_view one = rest.substr(0, rest.find(','));
      rest.remove_prefix(std::min(one.size() + 1, rest.size()));
      one = one.substr(0, one.find('#'));
      while (one.starts_with(' ')) one.remove_prefix(1);
      while (one.ends_with(' ')) one.remove_suffix(1);
      if (same_name(one, plugin)) return true;
    }
    return false;
  }
  // The pipesink is written as its definition has it.
  void put_pipe(PipeDefinition pipe) {
    if (const auto sink = to_.pipesinks.find(pipe.pipesink); sink != to_.pipesinks.end())
      pipe.pipesink = sink->first;
    to_.pipes.insert_or_assign(pipe.name, std::move(pipe));
  }
  void spend(const PipeDefinition& pipe, std::int64_t at_micros) {
    if (pipe.stream != 0) to_.spent_streams.emplace(pipe.stream, SpentStream{pipe.name, at_micros});
  }

  CatalogueSnapshot& to_;
};

}  // namespace

Status apply_changes(CatalogueSnapshot& snapshot, std::span<const CatalogueChange> changes) {
  CatalogueSnapshot next = snapshot;
  Applier apply(next);
  for (const CatalogueChange& change : changes) TG_CHECK(std::visit(apply, change));
  TG_CHECK(check_snapshot(next));
  snapshot = std::move(next);
  return {};
}

}  // namespace tidegate
