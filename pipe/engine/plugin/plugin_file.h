// SPDX-License-Identifier: Apache-2.0
// The files of plugins: pipe_lib_dir is a plain directory, each *.so in it a plugin.
//
// What a plugin does runs with the rights of the daemon, so a file is refused unless only root or the
// daemon's user can change it: the file and the directory belong to one of the two and are writable by nobody
// else (mode & 022 is 0), and the file is a regular one directly in the directory, not a link. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/result.h"
#include "pipe/engine/plugin/descriptor.h"

namespace tidegate {

// File names of the plugins of the directory, sorted; they are not looked into. kNotFound: no such directory.
Result<std::vector<std::string>> list_plugin_files(const std::string& directory);

struct PluginFile {
  std::string path;    // directory + "/" + name
  std::string sha256;  // of what is there now, 64 lower-case hex digits
};
// `name`: that of a file of the directory, or its path in it; also as file: URI. kInvalidArgument: what is
// wrong with the name, the file or the directory; kNotFound.
Result<PluginFile> find_plugin_file(const std::string& directory, std::string_view name);

namespace tgplugin {

// Opens a plugin of any directory after the checks above. `sha256` not empty: kIdentity where the content has
// another hash. What was checked is what the descriptor reads.
Result<Descriptor> open_plugin_file(const std::string& path, std::string_view sha256);

}  // namespace tgplugin
}  // namespace tidegate
