// SPDX-License-Identifier: Apache-2.0
// Definitions for tests of the catalogue.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "pipe/catalogue/changes.h"

namespace tidegate {

constexpr std::int64_t kCreated = 1'700'000'000'123'456;
constexpr std::int64_t kDropped = 1'700'000'100'000'000;

inline PipeDefinition pipe_definition(const std::string& name, StreamId stream = 0) {
  PipeDefinition pipe;
  pipe.name = name;
  pipe.created_micros = kCreated;
  pipe.extractor = {"iotdb-extractor", {{"pattern", "root.中文.`a''b`"}, {"history.enable", "true"}}};
  pipe.processor = {"do-nothing-processor", {}};
  pipe.connector = {"iotdb-air-gap-connector", {{"ip", "10.0.0.1"}, {"password", "p\"\\\n\x01w"}}};
  pipe.history_boundary = 123456789012;
  pipe.stream = stream;
  if (stream != 0) pipe.outbox = "outbox-" + std::to_string(stream);
  return pipe;
}

inline PipesinkDefinition pipesink_definition(const std::string& name) {
  return {name, "IoTDB", {{"ip", "127.0.0.1"}, {"port", "6670"}}};
}

inline PluginDefinition plugin_definition(const std::string& name) {
  return {name, "org.example.Plugin", "/usr/lib/tidegate/x.so", std::string(64, 'a'), kCreated};
}

// One of everything.
inline std::vector<CatalogueChange> everything() {
  PipeDefinition edge = pipe_definition("edge");
  edge.dialect = PipeDialect::kEdgeCloud;
  edge.origin = PipeOrigin::kYaml;
  edge.yaml_hash = "1234";
  edge.pipesink = "central_iotdb";
  return {change::CreatePipesink{pipesink_definition("Central_IoTDB")},
          change::CreatePipe{pipe_definition("A2B", 1)},
          change::CreatePipe{edge},
          change::CreatePipe{pipe_definition("gone", 2)},
          change::DropPipe{"GONE", kDropped},
          change::SetPipeState{"a2b", WantedState::kRunning, "the target refused"},
          change::CreatePlugin{plugin_definition("My-Processor")},
          change::CreateUser{"scada", "scrypt$..."},
          change::CreateUser{"Scada", ""},
          change::Grant{"scada", {PipePrivilege::kStartPipe, PipePrivilege::kShowPipes}},
          change::SetSetting{"pipeserver.enabled", "true"}};
}

// A folder that goes with the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = "/tmp/tidegate-catalogue-XXXXXX";
    if (mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace tidegate
