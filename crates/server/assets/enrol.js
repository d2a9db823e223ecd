// The code stands behind the # of the link: it is put where the person would write it, and taken out of the address.
"use strict";
const field = document.getElementById("code");
if (field && location.hash.length > 1) {
  field.value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  (document.getElementById("new_password") ?? document.querySelector("button")).focus();
}
