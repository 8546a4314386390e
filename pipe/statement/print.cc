// SPDX-License-Identifier: Apache-2.0
#include "pipe/statement/print.h"

#include <algorithm>

#include "pipe/statement/lexer.h"

namespace tidegate {
namespace {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};

// The plugins that a name stands for: one, or the processors of a chain 'a,b#2'.
std::vector<const PluginInfo*> plugins_of(PluginKind kind, std::string_view name,
                                          const PluginLookup& lookup) {
  std::vector<const PluginInfo*> out;
  while (lookup && !name.empty()) {
    const std::size_t end = std::min(name.find(','), name.size());
    std::string_view one = name.substr(0, end);
    name.remove_prefix(std::min(end + 1, name.size()));
    one = one.substr(0, one.find('#'));
    while (one.starts_with(' ')) one.remove_prefix(1);
    while (one.ends_with(' ')) one.remove_suffix(1);
    if (const PluginInfo* const plugin = lookup(kind, one)) out.push_back(plugin);
  }
  return out;
}

class Printer {
 public:
  Printer(bool mask, const PluginLookup& plugins) : mask_(mask), plugins_(plugins) {}

  std::string text(std::string_view value, bool secret = false) const {
    return secret && mask_ ? "'" + std::string(kMaskedValue) + "'" : quote_text(value);
  }

  std::string part(PluginKind kind, const Attributes& attributes) const {
    const std::string prefix(plugin_kind_name(kind));
    std::string out;
    const auto add = [&](const std::string& name, const std::string& value) {
      out += (out.empty() ? "" : ", ") + quote_text(name) + "=" + value;
    };
    const auto known = plugins_of(kind, attributes.plugin, plugins_);
    if (!attributes.plugin.empty()) add(prefix, text(attributes.plugin));
    for (const auto& [name, value] : attributes.values)
      add(prefix + "." + name, text(value, is_secret(name, known)));
    return "(" + out + ")";
  }

  static bool is_secret(const std::string& name, const std::vector<const PluginInfo*>& known) {
    return is_secret_attribute(name, nullptr) ||
           std::ranges::any_of(known, [&](const PluginInfo* p) { return is_secret_attribute(name, p); });
  }

 private:
  bool mask_;
  const PluginLookup& plugins_;
};

std::string part_word(PluginKind kind) {
  std::string word(plugin_kind_name(kind));
  std::ranges::transform(word, word.begin(), [](char c) { return static_cast<char>(c - 'a' + 'A'); });
  return word;
}

std::string on_condition(bool condition, const char* words) {
  return condition ? words : "";
}

std::string print(const CreatePipe& s, const Printer& p) {
  std::string out =
      "CREATE PIPE " + on_condition(s.if_not_exists, "IF NOT EXISTS ") + quote_name(s.pipe.text);
  const auto add = [&](PluginKind kind, const Clause& clause) {
    if (clause == Clause() && kind != PluginKind::kConnector) return;
    out += " WITH " + part_word(kind) + " " + p.part(kind, clause.attributes);
  };
  add(PluginKind::kExtractor, s.extractor);
  add(PluginKind::kProcessor, s.processor);
  add(PluginKind::kConnector, s.connector);
  return out;
}

std::string print(const AlterPipe& s, const Printer& p) {
  std::string out = "ALTER PIPE " + on_condition(s.if_exists, "IF EXISTS ") + quote_name(s.pipe.text);
  for (const AlterPipe::Change& change : s.changes) {
    out += change.mode == AlterPipe::Mode::kModify ? " MODIFY " : " REPLACE ";
    out += part_word(change.kind) + " " + p.part(change.kind, change.clause.attributes);
  }
  return out;
}

std::string print(const ShowPipes& s, const Printer&) {
  if (s.used_by) return "SHOW PIPES WHERE CONNECTOR USED BY " + quote_name(s.used_by->text);
  return s.pipe ? "SHOW PIPE " + quote_name(s.pipe->text) : "SHOW PIPES";
}

std::string print(const CreatePipePlugin& s, const Printer& p) {
  return "CREATE PIPEPLUGIN " + on_condition(s.if_not_exists, "IF NOT EXISTS ") + quote_name(s.plugin.text) +
         " AS " + p.text(s.class_name) + (s.uri ? " USING URI " + p.text(*s.uri) : "");
}

std::string sink_list(const std::map<std::string, SinkAttribute>& attributes, const char* separator,
                      const Printer& p) {
  std::string list;
  for (const auto& [name, attribute] : attributes) {
    const std::string& value = attribute.value;
    const bool is_number =
        !value.empty() && std::ranges::all_of(value, [](char c) { return c >= '0' && c <= '9'; });
    const bool secret = is_secret_attribute(name, nullptr);
    list += list.empty() ? "" : separator;
    list += (quote_name(name) == name ? name : quote_text(name)) + "=";
    list += is_number && !secret ? value : p.text(value, secret);
  }
  return list;
}

std::string print(const CreatePipeSink& s, const Printer& p) {
  const std::string list = sink_list(s.attributes, ", ", p);
  return "CREATE PIPESINK " + quote_name(s.sink.text) + " AS " + quote_name(s.type.text) +
         (list.empty() ? "" : " (" + list + ")");
}

std::string print(const CreatePipeTo& s, const Printer& p) {
  std::string out = "CREATE PIPE " + on_condition(s.if_not_exists, "IF NOT EXISTS ") +
                    quote_name(s.pipe.text) + " TO " + quote_name(s.sink.text);
  if (s.start) {
    out += " FROM (SELECT ** FROM root WHERE time " + std::string(s.start->exclusive ? ">" : ">=") + " " +
           p.text(s.start->text) + ")";
  }
  if (s.sync_del_op) out += " WITH SyncDelOp=" + std::string(*s.sync_del_op ? "true" : "false");
  return out;
}

std::string print(const ChangePrivileges& s, const Printer&) {
  std::string list;
  for (const Privilege privilege : s.privileges)
    list += (list.empty() ? "" : ", ") + std::string(privilege_name(privilege));
  return (s.grant ? "GRANT " : "REVOKE ") + list + (s.grant ? " TO USER " : " FROM USER ") +
         quote_name(s.user.text);
}

std::string print_with(const Statement& statement, const Printer& p) {
  const auto named = [](const char* words, bool condition, const char* clause, const Name& name) {
    return words + on_condition(condition, clause) + quote_name(name.text);
  };
  return std::visit(Overloaded{
      [&](const auto& s) -> std::string
        requires requires { print(s, p); }
      { return print(s, p); },
      [&](const StartPipe& s) { return named("START PIPE ", s.if_exists, "IF EXISTS ", s.pipe); },
      [&](const StopPipe& s) { return named("STOP PIPE ", s.if_exists, "IF EXISTS ", s.pipe); },
      [&](const DropPipe& s) { return named("DROP PIPE ", s.if_exists, "IF EXISTS ", s.pipe); },
      [&](const DropPipePlugin& s) { return named("DROP PIPEPLUGIN ", s.if_exists, "IF EXISTS ", s.plugin); },
      [&](const ShowPipeSinks& s) {
        return s.sink ? "SHOW PIPESINK " + quote_name(s.sink->text) : std::string("SHOW PIPESINKS");
      },
      [&](const DropPipeSink& s) { return "DROP PIPESINK " + quote_name(s.sink.text); },
      [&](const CreateUser& s) {
        return "CREATE USER " + quote_name(s.user.text) + (s.password ? " " + p.text(*s.password, true) : "");
      },
      [&](const DropUser& s) { return "DROP USER " + quote_name(s.user.text); },
      [&](const ListPrivileges& s) { return "LIST PRIVILEGES OF USER " + quote_name(s.user.text); },
      [&](const SelectLogs& s) {
        return "SELECT * FROM system.processing_engine_logs" +
               (s.limit ? " LIMIT " + std::to_string(*s.limit) : "");
      },
      // Those that are nothing but their words.
      [&](const auto&) { return std::string(statement_name(statement)); },
      },
      statement);
}

}  // namespace

std::string print_statement(const Statement& statement) {
  return print_with(statement, Printer(false, {}));
}

std::string print_masked(const Statement& statement, const PluginLookup& plugins) {
  return print_with(statement, Printer(true, plugins));
}

std::string print_attributes(PluginKind kind, const Attributes& attributes, const PluginLookup& plugins) {
  const std::string prefix(plugin_kind_name(kind));
  const auto known = plugins_of(kind, attributes.plugin, plugins);
  std::string out = attributes.plugin.empty() ? "" : prefix + "=" + attributes.plugin;
  for (const auto& [name, value] : attributes.values) {
    out += (out.empty() ? "" : ", ") + prefix + "." + name + "=";
    out += Printer::is_secret(name, known) ? std::string(kMaskedValue) : value;
  }
  return "{" + out + "}";
}

std::string print_sink_attributes(const std::map<std::string, SinkAttribute>& attributes) {
  return sink_list(attributes, ",", Printer(true, {}));
}

std::string mask_source(std::string_view text) {
  std::string out;
  std::size_t copied = 0;
  bool about_users = false;
  bool secret_next = false;
  Lexer lexer(text);
  for (Token token = lexer.next(); token.kind != TokenKind::kEnd; token = lexer.next()) {
    if (token.kind == TokenKind::kWord && fold_name(token.text) == "user") about_users = true;
    const bool is_text = token.kind == TokenKind::kText;
    const bool hides =
        (is_text && (about_users || secret_next)) || (token.kind == TokenKind::kBad && token.unfinished);
    const bool is_bare = token.kind == TokenKind::kWord || token.kind == TokenKind::kNumber ||
                         token.kind == TokenKind::kLiteral;
    if (hides || (is_bare && secret_next)) {
      out += text.substr(copied, token.offset - copied);
      out += "'" + std::string(kMaskedValue) + "'";
      copied = token.offset + token.size;
      secret_next = false;
      continue;
    }
    if (is_text) secret_next = is_secret_attribute(text_value(token), nullptr);
    if (is_bare) secret_next = is_secret_attribute(token.text, nullptr);
  }
  return out + std::string(text.substr(copied));
}

}  // namespace tidegate
