// SPDX-License-Identifier: Apache-2.0
#include "pipe/model/path.h"

#include <algorithm>

namespace tidegate {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_bare_ascii(char c) {
  return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
         std::string_view("_:@#${}").find(c) != std::string_view::npos;
}

// Bytes of the character at the front of `text` when it may stand bare, else 0.
std::size_t bare_character(std::string_view text) {
  if (is_bare_ascii(text[0])) return 1;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  if (text.size() < 3 || byte(0) < 0xE2 || byte(0) > 0xE9) return 0;
  if ((byte(1) & 0xC0) != 0x80 || (byte(2) & 0xC0) != 0x80) return 0;
  const unsigned code = (byte(0) & 0x0FU) << 12 | (byte(1) & 0x3FU) << 6 | (byte(2) & 0x3FU);
  return code >= 0x2E80 && code <= 0x9FFF ? 3 : 0;
}

Error refuse_path(std::string_view path, std::size_t at, const char* what) {
  return make_error(ErrorCode::kMalformed, std::string(what) + " at column " + std::to_string(at + 1) +
                                               " of the path \"" + std::string(path) + "\"");
}

// Reads the node that begins at *at, which moves to the '.' behind it or to the end.
Result<std::string> read_quoted_node(std::string_view path, std::size_t* at) {
  std::string node;
  const std::size_t start = (*at)++;
  while (*at < path.size()) {
    const char c = path[(*at)++];
    if (c != '`') {
      node.push_back(c);
      continue;
    }
    if (*at < path.size() && path[*at] == '`') {
      node.push_back('`');
      ++*at;
      continue;
    }
    if (*at < path.size() && path[*at] != '.') return refuse_path(path, *at, "no '.' after a quoted node");
    return node;
  }
  return refuse_path(path, start, "a back-quote without its end");
}

Result<std::string> read_bare_node(std::string_view path, std::size_t* at) {
  const std::size_t end = std::min(path.find('.', *at), path.size());
  const std::string_view node = path.substr(*at, end - *at);
  if (node.empty()) return refuse_path(path, *at, "an empty node");
  if (const std::size_t quote = node.find('`'); quote != std::string_view::npos) {
    return refuse_path(path, *at + quote, "a back-quote inside a node");
  }
  *at = end;
  return std::string(node);
}

}  // namespace

bool node_needs_quotes(std::string_view node) {
  if (std::ranges::all_of(node, is_digit)) return true;  // the empty node too
  while (!node.empty()) {
    const std::size_t size = bare_character(node);
    if (size == 0) return true;
    node.remove_prefix(size);
  }
  return false;
}

void append_node(std::string* path, std::string_view node) {
  if (!node_needs_quotes(node)) {
    path->append(node);
    return;
  }
  path->push_back('`');
  for (const char c : node) {
    if (c == '`') path->push_back('`');
    path->push_back(c);
  }
  path->push_back('`');
}

Result<std::vector<std::string>> split_path(std::string_view path) {
  std::vector<std::string> nodes;
  std::size_t at = 0;
  for (;;) {
    const bool quoted = at < path.size() && path[at] == '`';
    TG_TRY(std::string node, quoted ? read_quoted_node(path, &at) : read_bare_node(path, &at));
    nodes.push_back(std::move(node));
    if (at == path.size()) return nodes;
    ++at;  // the '.'
  }
}

std::string join_path(std::span<const std::string> nodes) {
  std::string path;
  for (const std::string& node : nodes) {
    if (&node != nodes.data()) path.push_back('.');
    append_node(&path, node);
  }
  return path;
}

Result<std::string> canonical_path(std::string_view path) {
  TG_TRY(const std::vector<std::string> nodes, split_path(path));
  return join_path(nodes);
}

void append_device_path(std::string* path, const RowView& row) {
  if (row.addressing == Addressing::kTree) {
    path->append(row.device);
    return;
  }
  path->append("root.");
  append_node(path, row.database);
  path->push_back('.');
  append_node(path, row.table);
  for (const TagView& tag : row.tags) {
    path->push_back('.');
    append_node(path, tag.value);
  }
}

void append_series_path(std::string* path, const RowView& row, std::string_view field) {
  append_device_path(path, row);
  path->push_back('.');
  append_node(path, field);
}

Result<TablePath> path_to_table(std::string_view path, std::span<const std::string_view> tag_keys) {
  TG_TRY(std::vector<std::string> nodes, split_path(path));
  const std::size_t wanted = 4 + tag_keys.size();
  if (nodes.size() != wanted || nodes[0] != "root") {
    return make_error(ErrorCode::kInvalidArgument, "\"" + std::string(path) +
                                                       "\" is not root, database, table, " +
                                                       std::to_string(tag_keys.size()) + " tags and a field");
  }
  TablePath out{std::move(nodes[1]), std::move(nodes[2]), {}, std::move(nodes.back())};
  for (std::size_t i = 0; i < tag_keys.size(); ++i)
    out.tags.emplace_back(tag_keys[i], std::move(nodes[3 + i]));
  return out;
}

Result<LineAddress> device_to_line(std::string_view device, std::optional<std::size_t> level) {
  if (!level) return LineAddress{std::string(device), std::string(device)};
  TG_TRY(std::vector<std::string> nodes, split_path(device));
  if (*level >= nodes.size()) {
    return make_error(ErrorCode::kInvalidArgument, "the device path \"" + std::string(device) +
                                                       "\" has no node at level " + std::to_string(*level) +
                                                       ": levels count from root = 0");
  }
  return LineAddress{std::move(nodes[*level]), std::string(device)};
}

}  // namespace tidegate
