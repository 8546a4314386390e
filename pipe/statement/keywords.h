// SPDX-License-Identifier: Apache-2.0
// The words of the language: ours, and those that begin statements of the database.
#pragma once

#include <span>
#include <string_view>

namespace tidegate {

// Upper case, in no order that matters.
std::span<const std::string_view> keywords();
bool is_keyword(std::string_view word);  // without case

// True where "`verb` `word`" (or `verb` alone, with an empty word) begins a statement that belongs to the
// database and not to a gateway: INSERT, SHOW TIMESERIES, CREATE DATABASE ... Both in upper case.
bool belongs_to_database(std::string_view verb, std::string_view word);
// Privileges of the database: READ_DATA, INSERT_TIMESERIES ...
bool is_database_privilege(std::string_view word);

}  // namespace tidegate
