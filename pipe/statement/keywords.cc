// SPDX-License-Identifier: Apache-2.0
#include "pipe/statement/keywords.h"

#include <algorithm>
#include <array>

#include "pipe/statement/statement.h"

namespace tidegate {
namespace {

constexpr auto kKeywords = std::to_array<std::string_view>({
    "ALL",         "ALTER",     "AS",           "BY",         "CONFIGURATION", "CONNECTOR", "CREATE",
    "CREATE_PIPE", "DROP",      "DROP_PIPE",    "EXISTS",     "EXTRACTOR",     "FALSE",     "FROM",
    "GRANT",       "IF",        "LIMIT",        "LIST",       "LOAD",          "MODIFY",    "NOT",
    "OF",          "ON",        "PIPE",         "PIPEPLUGIN", "PIPEPLUGINS",   "PIPES",     "PIPESERVER",
    "PIPESINK",    "PIPESINKS", "PIPESINKTYPE", "PRIVILEGES", "PROCESSOR",     "REPLACE",   "REVOKE",
    "ROOT",        "SELECT",    "SHOW",         "SHOW_PIPES", "SINK",          "SOURCE",    "START",
    "START_PIPE",  "STATUS",    "STOP",         "STOP_PIPE",  "SYNCDELOP",     "TIME",      "TO",
    "TRUE",        "URI",       "USE_PIPE",     "USED",       "USER",          "USING",     "WHERE",
    "WITH",
});

constexpr auto kDatabaseVerbs = std::to_array<std::string_view>({
    "INSERT", "DELETE",   "UPDATE", "SET",    "UNSET",      "COUNT",   "FLUSH",   "MERGE",
    "FULL",   "KILL",     "CLEAR",  "SETTLE", "EXPLAIN",    "REMOVE",  "MIGRATE", "ACTIVATE",
    "UNLOAD", "DESCRIBE", "DESC",   "USE",    "DEACTIVATE", "ADD",     "APPEND",  "TRUNCATE",
    "COPY",   "TRACING",  "CALL",   "REPAIR", "EXTEND",     "PREPARE", "EXECUTE",
});

// Behind CREATE, ALTER, DROP, SHOW, LIST, GRANT, REVOKE, START, STOP.
constexpr auto kDatabaseObjects = std::to_array<std::string_view>({
    "ALIGNED",   "ALL",        "CHILD",     "CLUSTER",       "CLUSTERID", "CONFIGNODES", "CONTINUOUS",
    "CQ",        "CQS",        "CURRENT",   "DATABASE",      "DATABASES", "DATANODES",   "DEVICE",
    "DEVICES",   "FLUSH",      "FUNCTION",  "FUNCTIONS",     "INDEX",     "LATEST",      "LOCK",
    "LOGICAL",   "MERGE",      "MODEL",     "MODELS",        "NODES",     "PARTITION",   "PATHS",
    "QUERIES",   "QUERY",      "REGION",    "REGIONS",       "REPAIR",    "ROLE",        "SCHEMA",
    "SNAPSHOT",  "STATEFUL",   "STATELESS", "STORAGE",       "TABLE",     "TABLES",      "TEMPLATE",
    "TEMPLATES", "TIMESERIES", "TOPIC",     "TOPICS",        "TRIGGER",   "TRIGGERS",    "TTL",
    "VARIABLES", "VERSION",    "VIEW",      "SUBSCRIPTIONS",
});

constexpr auto kDatabasePrivileges = std::to_array<std::string_view>({
    "READ",
    "WRITE",
    "READ_DATA",
    "WRITE_DATA",
    "READ_SCHEMA",
    "WRITE_SCHEMA",
    "MANAGE_DATABASE",
    "MANAGE_USER",
    "MANAGE_ROLE",
    "MAINTAIN",
    "USE_TRIGGER",
    "USE_UDF",
    "USE_CQ",
    "EXTEND_TEMPLATE",
    "CREATE_DATABASE",
    "INSERT_TIMESERIES",
    "READ_TIMESERIES",
    "CREATE_TIMESERIES",
    "DELETE_TIMESERIES",
    "ALTER_TIMESERIES",
    "CREATE_USER",
    "DELETE_USER",
    "MODIFY_PASSWORD",
    "LIST_USER",
    "GRANT_USER_PRIVILEGE",
    "REVOKE_USER_PRIVILEGE",
});

template <std::size_t N>
bool holds(const std::array<std::string_view, N>& words, std::string_view word) {
  return std::ranges::find(words, word) != words.end();
}

std::string upper(std::string_view word) {
  std::string out(word);
  std::ranges::transform(out, out.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  return out;
}

}  // namespace

std::span<const std::string_view> keywords() {
  return kKeywords;
}

bool is_keyword(std::string_view word) {
  return word.size() < 32 && holds(kKeywords, upper(word));
}

bool belongs_to_database(std::string_view verb, std::string_view word) {
  if (word.empty()) return holds(kDatabaseVerbs, verb);
  return holds(kDatabaseObjects, word);
}

bool is_database_privilege(std::string_view word) {
  return holds(kDatabasePrivileges, word);
}

}  // namespace tidegate
