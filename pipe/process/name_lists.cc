// SPDX-License-Identifier: Apache-2.0
#include "pipe/process/name_lists.h"

namespace tidegate {
namespace {

constexpr char kEnd = '\0';  // as a separator: the end of the text

class ListText {
 public:
  // `separators`: those of the form, with '.' among them.
  ListText(std::string_view attribute, std::string_view form, std::string_view separators,
           std::string_view text)
      : attribute_(attribute), form_(form), separators_(separators), text_(text) {}

  bool at_end() const { return at_ == text_.size(); }

  Result<std::string> name() {
    start_ = at_;
    if (at_ < text_.size() && text_[at_] == '`') return quoted_name();
    const std::size_t end = std::min(text_.find_first_of(separators_, at_), text_.size());
    std::string out(text_.substr(at_, end - at_));
    if (out.empty()) return refuse(at_, "a name is missing");
    at_ = end;
    return out;
  }

  // Takes one of `wanted` and gives it. The end of the text is taken for '.', when that is wanted.
  Result<char> separator(std::string_view wanted) {
    if (at_end() && wanted.find('.') != std::string_view::npos) return kEnd;
    if (!at_end() && wanted.find(text_[at_]) != std::string_view::npos) return text_[at_++];
    std::string what = "expected '" + std::string(1, wanted[0]) + "'";
    for (const char c : wanted.substr(1)) what += std::string(" or '") + c + "'";
    what += at_end() ? ", but the text ends" : ", found '" + std::string(1, text_[at_]) + "'";
    return refuse(at_, what);
  }

  // At the name that was read last.
  Error twice(std::string_view name) const { return refuse(start_, quote(name) + " stands twice"); }

 private:
  static std::string quote(std::string_view name) { return "\"" + std::string(name) + "\""; }

  Result<std::string> quoted_name() {
    std::string out;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] != '`') {
        out.push_back(text_[at_]);
      } else if (at_ + 1 < text_.size() && text_[at_ + 1] == '`') {
        out.push_back(text_[++at_]);
      } else {
        ++at_;
        if (out.empty()) return refuse(start_, "a name is empty");
        return out;
      }
    }
    return refuse(start_, "a back-quote has no end");
  }

  Error refuse(std::size_t at, std::string_view what) const {
    return make_error(ErrorCode::kInvalidArgument, "processor attribute '" + std::string(attribute_) +
                                                       "', column " + std::to_string(at + 1) + ": " +
                                                       std::string(what) + " (the form is " +
                                                       std::string(form_) + "; other names in back-quotes)");
  }

  std::string_view attribute_, form_, separators_, text_;
  std::size_t at_ = 0;
  std::size_t start_ = 0;
};

}  // namespace

Result<NameSet> parse_names(std::string_view attribute, std::string_view text) {
  NameSet out;
  if (text.empty()) return out;
  ListText list(attribute, "table1.table2", ".", text);
  for (;;) {
    TG_TRY(std::string name, list.name());
    if (!out.insert(name).second) return list.twice(name);
    TG_TRY(const char next, list.separator("."));
    if (next == kEnd) return out;
  }
}

Result<FieldSets> parse_table_fields(std::string_view attribute, std::string_view text) {
  FieldSets out;
  if (text.empty()) return out;
  ListText list(attribute, "table1:field1@field2.table2:field3", ":@.", text);
  for (;;) {
    TG_TRY(const std::string table, list.name());
    const auto [fields, is_new] = out.try_emplace(table);
    if (!is_new) return list.twice(table);
    TG_TRY(char next, list.separator(":"));
    do {
      TG_TRY(std::string field, list.name());
      if (!fields->second.insert(field).second) return list.twice(field);
      TG_TRY(next, list.separator("@."));
    } while (next == '@');
    if (next == kEnd) return out;
  }
}

Result<NameMap> parse_renames(std::string_view attribute, std::string_view text) {
  NameMap out;
  if (text.empty()) return out;
  ListText list(attribute, "old1:new1.old2:new2", ":.", text);
  for (;;) {
    TG_TRY(const std::string from, list.name());
    const auto [place, is_new] = out.try_emplace(from);
    if (!is_new) return list.twice(from);
    TG_TRY([[maybe_unused]] const char colon, list.separator(":"));
    TG_TRY(place->second, list.name());
    TG_TRY(const char next, list.separator("."));
    if (next == kEnd) return out;
  }
}

Result<FieldMaps> parse_field_renames(std::string_view attribute, std::string_view text) {
  FieldMaps out;
  if (text.empty()) return out;
  ListText list(attribute, "table1:old1@new1$old2@new2.table2:old3@new3", ":@$.", text);
  for (;;) {
    TG_TRY(const std::string table, list.name());
    const auto [fields, is_new] = out.try_emplace(table);
    if (!is_new) return list.twice(table);
    TG_TRY(char next, list.separator(":"));
    do {
      TG_TRY(const std::string from, list.name());
      const auto [place, is_first] = fields->second.try_emplace(from);
      if (!is_first) return list.twice(from);
      TG_TRY([[maybe_unused]] const char at, list.separator("@"));
      TG_TRY(place->second, list.name());
      TG_TRY(next, list.separator("$."));
    } while (next == '$');
    if (next == kEnd) return out;
  }
}

std::string list_name(std::string_view name) {
  if (!name.empty() && name.find_first_of("`.:@$") == std::string_view::npos) return std::string(name);
  std::string out = "`";
  for (const char c : name) {
    if (c == '`') out.push_back('`');
    out.push_back(c);
  }
  return out + "`";
}

}  // namespace tidegate
