// SPDX-License-Identifier: Apache-2.0
// A shared object that is no plugin.
int tidegate_no_plugin(void);
int tidegate_no_plugin(void) {
  return 1;
}
