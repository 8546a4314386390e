// SPDX-License-Identifier: Apache-2.0
#include "pipe/catalogue/definitions.h"

#include <algorithm>
#include <array>

#include "protocol/influx/text_scan.h"

namespace tidegate {
namespace {

constexpr std::size_t kMaxName = 255;
constexpr std::array<std::string_view, 2> kWantedStates{"stopped", "running"};
constexpr std::array<std::string_view, 2> kDialects{"data-sync", "edge-cloud"};
constexpr std::array<std::string_view, 2> kOrigins{"typed", "yaml"};
constexpr std::array<std::string_view, 5> kPrivileges{"CREATE_PIPE", "START_PIPE", "STOP_PIPE", "DROP_PIPE",
                                                      "SHOW_PIPES"};

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

template <class E, std::size_t N>
std::optional<E> find_name(const std::array<std::string_view, N>& names, std::string_view name) {
  const auto found = std::find_if(names.begin(), names.end(), [&](auto n) { return same_name(n, name); });
  if (found == names.end()) return std::nullopt;
  return static_cast<E>(found - names.begin());
}

Error invalid(std::string detail) {
  return make_error(ErrorCode::kInvalidArgument, std::move(detail));
}

Status check_text(const std::string& what, std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return invalid(what + " holds a NUL character");
  if (!influx::is_utf8(text)) return invalid(what + " is not UTF-8");
  return {};
}

Status check_name(const std::string& what, std::string_view name) {
  TG_CHECK(check_text(what, name));
  if (name.empty()) return invalid(what + " is empty");
  if (name.size() > kMaxName)
    return invalid(what + " has " + std::to_string(name.size()) + " bytes; at most 255 are allowed");
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (std::any_of(name.begin(), name.end(), control)) return invalid(what + " holds a control character");
  return {};
}

Status check_map(const std::string& what, const std::map<std::string, std::string>& map) {
  for (const auto& [key, value] : map) {
    TG_CHECK(check_name("the name of an attribute of " + what, key));
    TG_CHECK(check_text("attribute '" + key + "' of " + what, value));
  }
  return {};
}

// The key of a map and the name in its value are the same text.
Status check_key(const std::string& what, const std::string& key, const std::string& name) {
  TG_CHECK(check_name("the name of a " + what, name));
  if (key != name) return invalid(what + " '" + name + "' is listed as '" + key + "'");
  return {};
}

Status check_part(const PipeDefinition& pipe, PluginKind kind, const Attributes& part) {
  static constexpr std::array<const char*, 3> kNames{"extractor", "processor", "connector"};
  const std::string what =
      "the " + std::string(kNames[static_cast<std::size_t>(kind)]) + " of pipe '" + pipe.name + "'";
  TG_CHECK(check_text("the plugin of " + what, part.plugin));
  return check_map(what, part.values);
}

Status check_pipe(const CatalogueSnapshot& in, const PipeDefinition& pipe) {
  const std::string what = "pipe '" + pipe.name + "'";
  TG_CHECK(check_part(pipe, PluginKind::kExtractor, pipe.extractor));
  TG_CHECK(check_part(pipe, PluginKind::kProcessor, pipe.processor));
  TG_CHECK(check_part(pipe, PluginKind::kConnector, pipe.connector));
  TG_CHECK(check_text("the exception message of " + what, pipe.exception_message));
  TG_CHECK(check_text("the YAML hash of " + what, pipe.yaml_hash));
  if ((pipe.origin == PipeOrigin::kYaml) == pipe.yaml_hash.empty())
    return invalid(what + ": a pipe has the hash of its YAML definition just where it comes from YAML");
  if (!pipe.pipesink.empty() && !in.pipesinks.contains(pipe.pipesink))
    return make_error(ErrorCode::kNotFound,
                      what + " names the pipesink '" + pipe.pipesink + "', CREATE PIPESINK it first");
  if (pipe.history_boundary > static_cast<Lsn>(INT64_MAX))
    return invalid(what + ": the history boundary is out of range");
  if (pipe.outbox.empty()) return {};
  TG_CHECK(check_name("the outbox folder of " + what, pipe.outbox));
  if (pipe.outbox.find('/') != std::string::npos || pipe.outbox == "." || pipe.outbox == "..")
    return invalid("the outbox folder of " + what + " is no name of a folder: '" + pipe.outbox + "'");
  return {};
}

// A stream number and an outbox folder have one owner.
Status check_owners(const CatalogueSnapshot& in) {
  std::map<StreamId, std::string> streams;
  std::map<std::string, std::string> outboxes;
  const auto taken = [](const std::string& what, const std::string& pipe, const std::string& other) {
    return make_error(ErrorCode::kAlreadyExists,
                      what + " of pipe '" + pipe + "' belongs to pipe '" + other + "'");
  };
  for (const auto& [name, pipe] : in.pipes) {
    const std::string stream = "stream " + std::to_string(pipe.stream);
    if (const auto spent = in.spent_streams.find(pipe.stream); spent != in.spent_streams.end())
      return make_error(ErrorCode::kAlreadyExists, stream + " of pipe '" + name + "' was spent by pipe '" +
                                                       spent->second.pipe + "' and is never given again");
    if (pipe.stream != 0)
      if (const auto [at, fresh] = streams.emplace(pipe.stream, name); !fresh)
        return taken(stream, name, at->second);
    if (!pipe.outbox.empty())
      if (const auto [at, fresh] = outboxes.emplace(pipe.outbox, name); !fresh)
        return taken("outbox folder '" + pipe.outbox + "'", name, at->second);
  }
  return {};
}

Status check_rest(const CatalogueSnapshot& in) {
  for (const auto& [key, sink] : in.pipesinks) {
    TG_CHECK(check_key("pipesink", key, sink.name));
    TG_CHECK(check_name("the type of pipesink '" + key + "'", sink.type));
    TG_CHECK(check_map("pipesink '" + key + "'", sink.attributes));
  }
  for (const auto& [key, plugin] : in.plugins) {
    TG_CHECK(check_key("plugin", key, plugin.name));
    TG_CHECK(check_text("the class of plugin '" + key + "'", plugin.class_name));
    TG_CHECK(check_text("the file of plugin '" + key + "'", plugin.file));
    if (plugin.sha256.size() != 64 ||
        plugin.sha256.find_first_not_of("0123456789abcdef") != std::string::npos)
      return invalid("plugin '" + key + "': its SHA-256 is not 64 lower-case hex digits");
  }
  for (const auto& [key, user] : in.users) {
    TG_CHECK(check_key("user", key, user.name));
    TG_CHECK(check_text("the password hash of user '" + key + "'", user.password_hash));
  }
  for (const auto& [stream, spent] : in.spent_streams) {
    if (stream == 0) return invalid("stream 0 is the link itself and cannot be spent");
    TG_CHECK(check_name("the pipe that spent stream " + std::to_string(stream), spent.pipe));
  }
  for (const auto& [key, value] : in.settings) {
    TG_CHECK(check_name("the name of a setting", key));
    TG_CHECK(check_text("setting '" + key + "'", value));
  }
  return {};
}

}  // namespace

bool NameLess::operator()(std::string_view a, std::string_view b) const {
  const auto less = [](char x, char y) {
    return static_cast<unsigned char>(lower(x)) < static_cast<unsigned char>(lower(y));
  };
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(), less);
}

bool same_name(std::string_view a, std::string_view b) {
  return !NameLess()(a, b) && !NameLess()(b, a);
}

std::string_view wanted_state_name(WantedState state) {
  return kWantedStates[static_cast<std::size_t>(state)];
}
std::string_view dialect_name(PipeDialect dialect) {
  return kDialects[static_cast<std::size_t>(dialect)];
}
std::string_view origin_name(PipeOrigin origin) {
  return kOrigins[static_cast<std::size_t>(origin)];
}
std::string_view privilege_name(PipePrivilege privilege) {
  return kPrivileges[static_cast<std::size_t>(privilege)];
}
std::optional<WantedState> parse_wanted_state(std::string_view name) {
  return find_name<WantedState>(kWantedStates, name);
}
std::optional<PipeDialect> parse_dialect(std::string_view name) {
  return find_name<PipeDialect>(kDialects, name);
}
std::optional<PipeOrigin> parse_origin(std::string_view name) {
  return find_name<PipeOrigin>(kOrigins, name);
}
std::optional<PipePrivilege> parse_privilege(std::string_view name) {
  return find_name<PipePrivilege>(kPrivileges, name);
}

Status check_snapshot(const CatalogueSnapshot& snapshot) {
  for (const auto& [key, pipe] : snapshot.pipes) {
    TG_CHECK(check_key("pipe", key, pipe.name));
    TG_CHECK(check_pipe(snapshot, pipe));
  }
  TG_CHECK(check_rest(snapshot));
  return check_owners(snapshot);
}

}  // namespace tidegate
