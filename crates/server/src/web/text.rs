//! Everything that a page says, in one place, so that it can be said in another language.

/// What the pages say in one language.
pub(super) struct Text {
    /// The language (BCP 47).
    pub(super) language: &'static str,
    pub(super) sign_in: &'static str,
    /// Before the name of a client.
    pub(super) to_continue_to: &'static str,
    pub(super) user_name: &'static str,
    pub(super) password: &'static str,
    /// The same for everybody who is not let in, so that it tells nothing.
    pub(super) not_signed_in: &'static str,
    pub(super) too_many: &'static str,
    pub(super) cannot_continue: &'static str,
    pub(super) unknown_client: &'static str,
    pub(super) not_from_here: &'static str,
    pub(super) form_is_old: &'static str,
    pub(super) enrol: &'static str,
    pub(super) enrol_about: &'static str,
    pub(super) code: &'static str,
    pub(super) code_about: &'static str,
    pub(super) new_password: &'static str,
    pub(super) repeat_password: &'static str,
    pub(super) set_password: &'static str,
    pub(super) wrong_code: &'static str,
    pub(super) not_repeated: &'static str,
    pub(super) not_a_password: &'static str,
    pub(super) enrolled: &'static str,
    pub(super) enrolled_about: &'static str,
    pub(super) unfinished: &'static str,
    pub(super) unfinished_about: &'static str,
}

/// English.
pub(super) const ENGLISH: Text = Text {
    language: "en",
    sign_in: "Sign in",
    to_continue_to: "to continue to",
    user_name: "User name",
    password: "Password",
    not_signed_in: "That did not work. Check the user name and the password. After several wrong tries, wait a quarter of an hour.",
    too_many: "Too many tries from your address. Wait a minute, then try again.",
    cannot_continue: "This cannot go on",
    unknown_client: "The application that sent you here is not known, or the address that it wants you sent back to is not one of its own. Tell whoever runs the application.",
    not_from_here: "The form did not come from this page. Open the page at the address that it is meant to have, and try again.",
    form_is_old: "The form was open for too long, or cookies are blocked. Go back to where you came from and begin again.",
    enrol: "Set your password",
    enrol_about: "You got a link, or a code, from whoever administers Lockstep. It works once.",
    code: "Code",
    code_about: "What stands behind the # in the link.",
    new_password: "New password",
    repeat_password: "New password, once more",
    set_password: "Set the password",
    wrong_code: "This code is not good any more. Ask for a new one.",
    not_repeated: "The two passwords are not the same.",
    not_a_password: "A password has at least one character, no line breaks or other control characters, and at most 245 bytes.",
    enrolled: "Your password is set",
    enrolled_about: "You can sign in with it now. This page can be closed.",
    unfinished: "Your password is on its way",
    unfinished_about: "It takes longer than usual. Try in a few minutes whether you can sign in with it.",
};
