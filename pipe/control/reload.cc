// SPDX-License-Identifier: Apache-2.0
#include "pipe/control/reload.h"

#include <algorithm>
#include <set>

#include "base/log.h"

namespace tidegate {
namespace {

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

// A place in the file, as text: in the error itself it would be taken for one in the statement.
Error in_words(const Error& error) {
  std::string place = error.path;
  if (error.line) place += ":" + std::to_string(*error.line) + ":" + std::to_string(error.column.value_or(1));
  return Error(error.code, "nothing is changed: " + place + (place.empty() ? "" : ": ") + error.detail);
}

}  // namespace

std::vector<std::string> changed_settings(const YamlValues& before, const YamlValues& now) {
  std::set<std::string> changed;
  const auto collect = [&changed](const YamlValues& these, const YamlValues& those) {
    for (const auto& [name, value] : these) {
      const auto other = those.find(name);
      if (other == those.end() || other->second != value) changed.insert(name.substr(0, name.find('[')));
    }
  };
  collect(before, now);
  collect(now, before);
  return {changed.begin(), changed.end()};
}

Reload::Reload(YamlValues started, std::vector<std::string> at_once)
    : started_(std::move(started)), at_once_(std::move(at_once)), last_(started_) {}

bool Reload::applies_at_once(const std::string& setting) const {
  return std::ranges::any_of(at_once_, [&setting](const std::string& name) {
    return setting == name || setting.starts_with(name + ".");
  });
}

Result<std::string> Reload::run(const std::function<Result<DaemonConfig>()>& load) {
  const std::lock_guard lock(mutex_);
  const auto fresh = load();
  if (!fresh.ok()) return in_words(fresh.error());
  for (const std::string& warning : fresh->warnings) log_warning("configuration", warning);
  return outcome(*fresh);
}

std::string Reload::outcome(const DaemonConfig& fresh) {
  std::vector<std::string> applied = changed_settings(last_, fresh.values);
  std::erase_if(applied, [this](const std::string& name) { return !applies_at_once(name); });
  std::vector<std::string> waiting = changed_settings(started_, fresh.values);
  std::erase_if(waiting, [this](const std::string& name) { return applies_at_once(name); });
  last_ = fresh.values;
  std::string out =
      fresh.path + ": " + (applied.empty() ? "nothing to apply" : "applied: " + joined(applied));
  if (!waiting.empty()) out += "; restart needed for: " + joined(waiting);
  if (!fresh.warnings.empty()) out += "; warnings in the log: " + std::to_string(fresh.warnings.size());
  return out;
}

}  // namespace tidegate
