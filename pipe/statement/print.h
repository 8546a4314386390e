// SPDX-License-Identifier: Apache-2.0
// Statements back as text: canonical, on one line unless a value has line breaks, without ';'. Pure.
//
//   CREATE PIPE a2b WITH CONNECTOR ('connector'='iotdb-thrift-connector', 'connector.ip'='127.0.0.1')
//
// parse_statement(print_statement(s)) equals s for every s that the parser made, as long as nothing was
// masked. Keywords are in upper case, names quoted where IoTDB wants it, the plugin's name first and the
// attributes by name. A value from elsewhere that ends with an odd backslash: see quote_text().
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "pipe/statement/statement.h"

namespace tidegate {

// The plugin of that kind and name (or alias), or null. The names of a chain of processors are asked for one
// by one.
using PluginLookup = std::function<const PluginInfo*(PluginKind, std::string_view)>;

std::string print_statement(const Statement& statement);

// The same with secrets as ******: attributes that their plugin declares secret, those whose name ends like
// one (is_secret_attribute) of any plugin, and passwords of users.
std::string print_masked(const Statement& statement, const PluginLookup& plugins = {});

// The attributes of one part as SHOW PIPES shows them: {connector=x, connector.ip=127.0.0.1}, masked.
std::string print_attributes(PluginKind kind, const Attributes& attributes, const PluginLookup& plugins = {});

// The attributes of a sink as SHOW PIPESINKS shows them: ip='127.0.0.1',port=6670, masked.
std::string print_sink_attributes(const std::map<std::string, SinkAttribute>& attributes);

// For logs of what could not be parsed: every text in quotes that follows a secret name, or that stands
// in a statement about users, is masked; an open quote hides the rest. Broken bytes and NULs pass unchanged.
std::string mask_source(std::string_view text);

}  // namespace tidegate
