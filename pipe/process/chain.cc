// SPDX-License-Identifier: Apache-2.0
#include "pipe/process/chain.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "pipe/process/processor_state.h"

namespace tidegate {
namespace {

constexpr const char* kName = "chain of processors";
constexpr std::size_t kMostLinks = 16;

Error refuse(const std::string& detail) {
  return make_error(ErrorCode::kInvalidArgument, "'processor': " + detail);
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

Result<std::vector<ChainLink>> read_labels(std::string_view text, const FindProcessor& find) {
  std::vector<ChainLink> links;
  for (bool more = true; more;) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::string label(trimmed(text.substr(0, comma)));
    more = comma < text.size();
    text.remove_prefix(more ? comma + 1 : comma);
    if (label.empty()) return refuse("a name is missing in the chain: the form is 'a,b,c'");
    const std::string name = label.substr(0, label.find('#'));
    if (name.size() + 1 == label.size()) return refuse("'" + label + "' has no number behind its '#'");
    const PluginInfo* plugin = find(name);
    if (plugin == nullptr) {
      return refuse("there is no processor called '" + name + "': SHOW PIPEPLUGINS lists them");
    }
    if (std::ranges::find(links, label, &ChainLink::label) != links.end()) {
      return refuse("'" + label + "' stands twice: number them, as in '" + name + "#1," + name + "#2'");
    }
    if (links.size() == kMostLinks) return refuse("a chain has at most 16 processors");
    links.push_back({label, plugin, {plugin->name, {}}});
  }
  return links;
}

bool knows(const PluginInfo& plugin, const std::string& name) {
  return std::ranges::any_of(plugin.attributes, [&](const AttributeSpec& spec) {
    return spec.name == name || std::ranges::find(spec.aliases, name) != spec.aliases.end();
  });
}

// The link whose label and a '.' stand in front of the name.
ChainLink* owner_of(std::string_view name, std::vector<ChainLink>* links) {
  for (ChainLink& link : *links) {
    if (name.starts_with(link.label + ".")) return &link;
  }
  return nullptr;
}

// What is said of a name that no link knows: that of a plugin that knows all they know.
Error unknown(const std::string& name, const std::string& value, const std::vector<ChainLink>& links) {
  PluginInfo all;
  all.kind = PluginKind::kProcessor;
  for (const ChainLink& link : links) {
    all.name += (all.name.empty() ? "" : ", ") + link.label;
    all.attributes.insert(all.attributes.end(), link.plugin->attributes.begin(),
                          link.plugin->attributes.end());
  }
  const Status status = check_attributes({all.name, {{name, value}}}, all);
  return status.ok() ? refuse("'" + name + "' is not known") : status.error();
}

Error in_link(const ChainLink& link, Error error, bool alone) {
  if (!alone) error.detail = link.label + ": " + error.detail;
  return error;
}

// Attributes for all first, then those of a link's own in their place.
Status distribute(const Attributes& attributes, std::vector<ChainLink>* links) {
  std::vector<Attributes> own(links->size());
  for (const auto& [name, value] : attributes.values) {
    if (const ChainLink* owner = owner_of(name, links)) {
      own[static_cast<std::size_t>(owner - links->data())].values[name.substr(owner->label.size() + 1)] =
          value;
      continue;
    }
    bool known = false;
    for (ChainLink& link : *links) {
      if (!knows(*link.plugin, name)) continue;
      link.attributes.values[name] = value;
      known = true;
    }
    if (!known) return unknown(name, value, *links);
  }
  for (std::size_t i = 0; i < links->size(); ++i) {
    ChainLink& link = (*links)[i];
    const bool alone = links->size() == 1;
    Result<Attributes> shared = with_own_names(link.attributes, *link.plugin);
    if (!shared.ok()) return in_link(link, std::move(shared).error(), alone);
    Result<Attributes> special = with_own_names(own[i], *link.plugin);
    if (!special.ok()) return in_link(link, std::move(special).error(), alone);
    link.attributes.values = std::move(special->values);
    link.attributes.values.merge(shared->values);
    Status checked = check_attributes(link.attributes, *link.plugin);
    if (!checked.ok()) return in_link(link, std::move(checked).error(), alone);
  }
  return {};
}

class Chain final : public Processor {
 public:
  explicit Chain(std::vector<LabelledProcessor> links) : links_(std::move(links)) {}

  std::string describe() const override {
    std::string out;
    for (const LabelledProcessor& link : links_)
      out += (out.empty() ? "" : "; ") + link.processor->describe();
    return out;
  }
  bool changes_bytes() const override {
    return std::ranges::any_of(links_, [](const auto& link) { return link.processor->changes_bytes(); });
  }
  Status process(const BatchView& batch, std::vector<Batch>* out) override { return pass(0, batch, out); }
  Bytes state() const override;
  Status restore(ByteView state) override;

 private:
  Status pass(std::size_t from, const BatchView& batch, std::vector<Batch>* out);
  std::string meaning() const;

  std::vector<LabelledProcessor> links_;
};

Status Chain::pass(std::size_t from, const BatchView& batch, std::vector<Batch>* out) {
  if (from + 1 == links_.size()) return links_[from].processor->process(batch, out);
  std::vector<Batch> between;
  TG_CHECK(links_[from].processor->process(batch, &between));
  for (const Batch& next : between) TG_CHECK(pass(from + 1, {next.canonical, next.summary}, out));
  return {};
}

std::string Chain::meaning() const {
  std::string out;
  for (const LabelledProcessor& link : links_) out += (out.empty() ? "" : ",") + link.label;
  return out;
}

Bytes Chain::state() const {
  Bytes out;
  ByteWriter writer(out);
  write_state_head(writer, kName, meaning());
  bool any = false;
  for (const LabelledProcessor& link : links_) {
    const Bytes state = link.processor->state();
    any = any || !state.empty();
    writer.bytes32(state);
  }
  return any ? out : Bytes{};
}

Status Chain::restore(ByteView state) {
  if (state.empty()) {
    for (const LabelledProcessor& link : links_) TG_CHECK(link.processor->restore({}));
    return {};
  }
  ByteReader reader(state);
  TG_CHECK(read_state_head(reader, kName, meaning()));
  for (const LabelledProcessor& link : links_) {
    const ByteView part = reader.bytes32();
    if (!reader.ok()) return bad_state(kName, "ends too early");
    TG_CHECK(link.processor->restore(part));
  }
  if (!reader.at_end()) return bad_state(kName, "is too long");
  return this->state().empty() ? bad_state(kName, "is one of processors that keep none") : Status{};
}

}  // namespace

Result<std::vector<ChainLink>> split_chain(const Attributes& attributes, const FindProcessor& find) {
  const std::string_view names =
      attributes.plugin.empty() ? std::string_view("do-nothing-processor") : attributes.plugin;
  TG_TRY(std::vector<ChainLink> links, read_labels(names, find));
  TG_CHECK(distribute(attributes, &links));
  return links;
}

std::unique_ptr<Processor> make_chain(std::vector<LabelledProcessor> links) {
  if (links.size() == 1) return std::move(links[0].processor);
  return std::make_unique<Chain>(std::move(links));
}

}  // namespace tidegate
