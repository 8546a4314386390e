// SPDX-License-Identifier: Apache-2.0
// For tests of this folder.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "pipe/statement/parser.h"
#include "pipe/statement/print.h"

namespace tidegate {

inline Statement parsed(std::string_view text, Dialect dialect = Dialect::kDataSync) {
  auto statement = parse_statement(text, dialect);
  EXPECT_TRUE(statement.ok()) << explain_error(text, statement.error());
  return statement.ok() ? std::move(*statement) : Statement();
}

// The canonical form of `text`, or "line:column code detail" of the refusal.
inline std::string outcome(std::string_view text, Dialect dialect = Dialect::kDataSync) {
  const auto statement = parse_statement(text, dialect);
  if (statement.ok()) return print_statement(*statement);
  const Error& e = statement.error();
  return std::to_string(e.line.value()) + ":" + std::to_string(e.column.value()) + " " +
         std::string(error_name(e.code)) + " " + e.detail;
}

inline PluginInfo thrift_plugin() {
  PluginInfo info;
  info.kind = PluginKind::kConnector;
  info.name = "iotdb-thrift-sync-connector";
  info.aliases = {"iotdb-thrift-connector"};
  info.attributes = {
      {.name = "ip", .description = "address of the target", .required = true, .aliases = {"thrift.host"}},
      {.name = "port", .type = AttributeType::kInteger, .default_value = "6667", .min = 1, .max = 65535},
      {.name = "batch.enable", .type = AttributeType::kBool},
      {.name = "mode", .type = AttributeType::kChoice, .choices = {"fast", "safe"}},
      {.name = "pin", .secret = true},
  };
  return info;
}

}  // namespace tidegate
