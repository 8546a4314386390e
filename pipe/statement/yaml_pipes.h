// SPDX-License-Identifier: Apache-2.0
// The section `pipes:` of both daemons' YAML: doc/statements.md.
//
//   pipes:
//     - name: plant
//       extractor: {pattern: root.plant, history.enable: false}
//       connector: {connector: air-gap-connector}
//       state: running                               # or stopped
//     - statement: "CREATE PIPE all WITH CONNECTOR ('connector'='air-gap-connector')"
#pragma once

#include <string>
#include <vector>

#include "base/yaml.h"
#include "pipe/statement/executor.h"

namespace tidegate {

// Start-up and LOAD CONFIGURATION. What is wrong in form is reported in the file; attributes are judged by
// the executor.
std::vector<YamlPipe> read_pipes(YamlMap& root, const std::string& file);
// The key `dialect`: of statements that do not say theirs.
Dialect read_dialect(YamlMap& root);
// A pipe that another section of the file stands for (a sink, the link).
YamlPipe yaml_pipe(const std::string& name, Attributes extractor, Attributes connector,
                   const std::string& file, YamlMark mark);

}  // namespace tidegate
