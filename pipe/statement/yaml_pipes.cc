// SPDX-License-Identifier: Apache-2.0
#include "pipe/statement/yaml_pipes.h"

#include <algorithm>

#include "pipe/engine/pipe_name.h"

namespace tidegate {
namespace {

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
  return text;
}

Clause read_clause(YamlMap& pipe, const std::string& key, const std::string& synonym) {
  Clause out;
  for (const auto& [name, value] : pipe.pairs(key)) {
    const std::string folded = lower(name);
    if (folded == key || folded == synonym || folded == "plugin") {
      out.attributes.plugin = lower(value);
    } else if (!out.attributes.values.emplace(folded, value).second) {
      pipe.violates(key, "names the attribute " + folded + " twice");
    }
  }
  return out;
}

Name name_of(std::string text) {
  Name out;
  out.text = std::move(text);
  return out;
}

}  // namespace

std::vector<YamlPipe> read_pipes(YamlMap& root, const std::string& file) {
  std::vector<YamlPipe> out;
  for (YamlMap& map : root.maps("pipes")) {
    YamlPipe pipe;
    pipe.file = file;
    pipe.statements = map.string("statement", std::string());
    const YamlMark mark = map.mark(pipe.statements.empty() ? "name" : "statement");
    pipe.line = mark.line;
    pipe.column = mark.column;
    if (pipe.statements.empty()) {
      const std::string name = map.string("name");
      if (const Status status = check_pipe_name(name); !status.ok() && map.has("name"))
        map.violates("name", "is refused: " + status.error().detail);
      pipe.structured.pipe = name_of(name);
      pipe.structured.extractor = read_clause(map, "extractor", "source");
      pipe.structured.processor = read_clause(map, "processor", "processor");
      pipe.structured.connector = read_clause(map, "connector", "sink");
      if (pipe.structured.connector.attributes.plugin.empty())
        map.violates("connector", "must name its plugin: connector: {connector: air-gap-connector, ...}");
      pipe.running = map.one_of<bool>("state", {{"running", true}, {"stopped", false}}, true);
    }
    out.push_back(std::move(pipe));
  }
  return out;
}

Dialect read_dialect(YamlMap& root) {
  return root.one_of<Dialect>("dialect",
                              {{"data-sync", Dialect::kDataSync}, {"edge-cloud", Dialect::kEdgeCloud}},
                              Dialect::kDataSync);
}

YamlPipe yaml_pipe(const std::string& name, Attributes extractor, Attributes connector,
                   const std::string& file, YamlMark mark) {
  YamlPipe out;
  out.structured.pipe = name_of(name);
  out.structured.extractor.attributes = std::move(extractor);
  out.structured.connector.attributes = std::move(connector);
  out.file = file;
  out.line = mark.line;
  out.column = mark.column;
  return out;
}

}  // namespace tidegate
