// SPDX-License-Identifier: Apache-2.0
#include "pipe/control/import_properties.h"

#include <algorithm>
#include <map>

#include "base/nearest.h"
#include "pipe/control/properties.h"

namespace tidegate {
namespace {

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

class Importer {
 public:
  Importer(const std::string& path, std::optional<DaemonRole> role) : path_(path), role_(role) {}

  Result<ImportedProperties> run(const std::vector<Property>& properties) {
    for (const Property& property : properties) take(property);
    decide_role();
    for (const auto& [name, property] : known_) place(*find_iotdb_name(name), *property);
    place_server();
    if (errors_) return std::move(*errors_);
    out_.yaml = text();
    return std::move(out_);
  }

 private:
  std::string place_of(const Property& property) const {
    return path_ + ":" + std::to_string(property.line) + ": ";
  }
  void note(const Property& property, const std::string& what) {
    out_.notes.push_back(place_of(property) + property.key + " " + what);
  }
  void refuse(const Property& property, const std::string& why) {
    if (errors_) {
      errors_->detail += "\n" + place_of(property) + why;
    } else {
      errors_ = Error(ErrorCode::kInvalidConfiguration, why).at_path(path_).at_line(property.line, 1);
    }
  }

  void take(const Property& property) {
    const IotdbName* const name = find_iotdb_name(property.key);
    if (name == nullptr) return note(property, unknown(property.key));
    // An escaped line break would begin a setting of its own in the YAML text.
    if (std::ranges::any_of(property.value, [](unsigned char c) { return c < 0x20 || c == 0x7F; }))
      return refuse(property, property.key + " holds a control character");
    if (name->kind == IotdbName::Kind::kPath && !property.value.empty() && property.value.front() != '/')
      return note(property, "is relative to IoTDB's home, which a gateway has not: say the absolute path");
    if (const Status fits = check_iotdb_value(*name, property.value); !fits.ok())
      return refuse(property, property.key + " " + fits.error().detail);
    const auto [at, fresh] = known_.try_emplace(property.key, &property);
    if (fresh) return;
    note(*at->second, "stands again in line " + std::to_string(property.line) + ", which holds");
    at->second = &property;
  }

  static std::string unknown(const std::string& key) {
    std::vector<std::string> names;
    for (const IotdbName& name : iotdb_names()) names.emplace_back(name.name);
    const std::string* const near = nearest_word(key, names);
    if (near != nullptr) return "is no setting of IoTDB's pipes; is '" + *near + "' meant?";
    return "is a setting of the database: a gateway has nothing like it";
  }

  // By what sets something; the rest does not matter to either daemon.
  void decide_role() {
    const Property* of[2] = {nullptr, nullptr};
    for (const auto& [key, property] : known_) {
      const IotdbName& name = *find_iotdb_name(key);
      if (name.only_of && name.fate == IotdbName::Fate::kSets)
        of[static_cast<std::size_t>(*name.only_of)] = property;
    }
    if (role_) return;
    if (of[0] != nullptr && of[1] != nullptr)
      return refuse(*of[0], of[0]->key + " is a setting of the sender, " + of[1]->key + " in line " +
                                std::to_string(of[1]->line) +
                                " one of the receiver: say --daemon sender or --daemon receiver");
    if (of[0] != nullptr) role_ = DaemonRole::kSender;
    if (of[1] != nullptr) role_ = DaemonRole::kReceiver;
  }

  void place(const IotdbName& name, const Property& property) {
    const DaemonRole role = role_.value_or(name.only_of.value_or(DaemonRole::kSender));
    if (const std::string why = iotdb_note(name, property.value, role); !why.empty())
      return note(property, why);
    if (name.fate != IotdbName::Fate::kSets) return note(property, "has its default, which holds here too");
    if (name.kind == IotdbName::Kind::kBlocks) return place_white_list(property);
    if (name.meaning == "link.listen") link_ += "  listen: \"0.0.0.0:" + property.value + "\"\n";
    if (name.meaning == name.name) settings_ += property.key + ": " + quoted(property.value) + "\n";
  }

  void place_white_list(const Property& property) {
    if (property.key == "ip_white_list" && known_.contains("IP_white_list"))
      return refuse(property, "ip_white_list stands beside IP_white_list: keep one of them");
    for (const std::string& doubt : white_list_doubts(property.value)) note(property, doubt);
    std::string blocks;
    for (const std::string& block : white_list_blocks(property.value))
      blocks += (blocks.empty() ? "" : ", ") + quoted(block);
    link_ += "  allow: [" + blocks + "]\n";
  }

  void place_server() {
    const auto value = [this](const char* name) -> std::optional<std::string> {
      const auto found = known_.find(name);
      return found == known_.end() ? std::nullopt : std::optional(found->second->value);
    };
    const auto host = value("server_ip"), port = value("server_port");
    if ((host || port) && role_ == DaemonRole::kSender)
      link_ += "  remote: " + quoted(sync_server(host, port)) + "\n";
  }

  std::string text() const {
    const std::string whose = role_ ? std::string(role_name(*role_)) : "sender or receiver";
    std::string out = "# From " + path_ + ", for the configuration of a " + whose +
                      ". What else that needs: conf/*.yaml and `tidegate check`.\n";
    if (settings_.empty() && link_.empty()) return out + "# Nothing in it sets anything of a gateway.\n";
    return out + settings_ + (link_.empty() ? "" : "link:\n" + link_);
  }

  const std::string& path_;
  std::optional<DaemonRole> role_;
  std::map<std::string, const Property*> known_;
  std::string settings_, link_;  // of the root, below `link`
  std::optional<Error> errors_;
  ImportedProperties out_;
};

}  // namespace

Result<ImportedProperties> import_properties(std::string_view text, const std::string& path,
                                             std::optional<DaemonRole> role) {
  TG_TRY(const std::vector<Property> properties, parse_properties(text, path));
  return Importer(path, role).run(properties);
}

}  // namespace tidegate
