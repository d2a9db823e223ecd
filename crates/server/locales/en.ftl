# What the pages say in English. Each text is in every language, with the same variables: a test compares them.

brand = Lockstep
sign-in = Sign in
sign-in-about = With your user name and password.
sign-out = Sign out
signed-out = You are signed out
signed-out-about = On a computer that others use too, close the browser.
to-continue-to = to continue to
user-name = User name
password = Password
not-signed-in = That did not work. Check the user name and the password. After several wrong tries, wait a while.
too-many = Too many tries from your address. Wait a minute, then try again.

cannot-continue = This cannot go on
unknown-client = The application that sent you here is not known, or the address that it wants you sent back to is not one of its own. Tell whoever runs the application.
not-from-here = The form did not come from this page. Open the page at the address that it is meant to have, and try again.
form-is-old = The form was open for too long, or cookies are blocked. Go back to where you came from and begin again.
not-found = There is nothing here
not-found-about = The address is not quite right, or what it led to is not there any more.
failed = Something went wrong on our side
failed-about = Nothing was lost. Try again in a moment; if it stays like this, tell your administrators.

enrol = Set your password
enrol-about = You got a link, or a code, from your administrators. It works once.
code = Code
code-about = What stands behind the # in the link.
new-password = New password
repeat-password = New password, once more
set-password = Set the password
wrong-code = This code is not good any more. Ask for a new one.
not-repeated = The two passwords are not the same.
not-a-password = A password has at least one character, no line breaks or other control characters, and at most 245 bytes.
enrolled = Your password is set
enrolled-about = You can sign in with it now.
unfinished = Your password is on its way
unfinished-about = It takes longer than usual. Try in a few minutes whether you can sign in with it.

passwords = Your passwords
passwords-none = There is no password here that you could change.
passwords-none-about = No application with a password of its own is set up for you yet. Your administrators can do that.
password-groups = Password groups
password-groups-about = The applications of a group share one password. Changed once, it is changed in all of them.
sources = Applications with one account
sources-about = These applications use the same account, and so the same password.
applications = Applications
here = Signing in here
change-password = Change password
change-password-of = Change password: { $name }
last-changed = Last changed { $date }
never-changed = Not changed here yet
changed-outside = Changed elsewhere on { $date }
changed-outside-advice = Change it here so that all have the same again.

change-reaches =
    { $count ->
        [one] The new password goes to
        *[other] The new password goes to all of these:
    }
which-account = Which account?
choose-account = The password was not changed. Choose the account that is to have it.
your-password = Your sign-in password
wrong-password = That is not your sign-in password. After several wrong tries, wait a while.
rules = The new password
rule-max-length =
    { $number ->
        [one] has at most one character
        *[other] has at most { $number } characters
    }
rule-min-length =
    { $number ->
        [one] has at least one character
        *[other] has at least { $number } characters
    }
rule-min-alpha =
    { $number ->
        [one] has at least one letter
        *[other] has at least { $number } letters
    }
rule-min-upper =
    { $number ->
        [one] has at least one upper-case letter
        *[other] has at least { $number } upper-case letters
    }
rule-min-lower =
    { $number ->
        [one] has at least one lower-case letter
        *[other] has at least { $number } lower-case letters
    }
rule-min-numeric =
    { $number ->
        [one] has at least one digit
        *[other] has at least { $number } digits
    }
rule-min-special =
    { $number ->
        [one] has at least one special character
        *[other] has at least { $number } special characters
    }
rule-min-types =
    { $number ->
        [one] has upper-case letters, lower-case letters, digits or special characters
        *[other] has at least { $number } of these: upper-case letters, lower-case letters, digits, special characters
    }
rule-repeated =
    { $number ->
        [one] does not have the same character twice in a row
        *[other] does not have the same character more than { $number } times in a row
    }
rule-account-attribute = does not contain details of the account
rule-identity-attribute = does not contain your name or other details about you
rule-account-id =
    { $number ->
        [0] does not contain the account’s id
        [one] does not contain any character of the account’s id
        *[other] does not contain { $number } characters in a row of the account’s id
    }
rule-account-name =
    { $number ->
        [0] does not contain the account’s name
        [one] does not contain any character of the account’s name
        *[other] does not contain { $number } characters in a row of the account’s name
    }
rule-dictionary = does not contain a word that your organisation has excluded
rule-common = is none of the commonest passwords, which are guessed first
rule-history =
    { $number ->
        [one] is no older password of yours
        *[other] is none of your last { $number }, the one that you have now aside
    }
broken = The password was not changed. It does not keep every rule below.
kept = kept
not-kept = not kept
rules-kept = All rules are kept.
rules-broken =
    { $number ->
        [one] One rule is not kept.
        *[other] { $number } rules are not kept.
    }
show-password = Show the password
too-long = The password was not changed: it is longer than 245 bytes, and no system can be sent that much.
cancel = Cancel

change-running = Your password is being changed
change-running-about = You may leave this page. The change goes on, and a system that cannot be reached is tried again.
change-done = Your password is changed
change-refused = Your password was not changed
change-partly = Your password is not changed everywhere
change-devices = Telephones, mail programs and saved networks still have the old password. Give them the new one, or they may lock your account by trying the old one again and again.
change-both = Use the new password where it is changed, and the old one where it is not.
state-waiting = waits for your sign-in password
state-changing = is being changed
state-done = is changed
state-retrying = is tried again: { $reason }
state-retrying-plain = is tried again
state-failed = is not changed: { $reason }
state-failed-plain = is not changed
state-superseded = is not changed, because a newer change came after this one
state-not-attempted = is not changed, because your sign-in password was not
state-expired = is not changed: it could not be reached in time ({ $reason })
state-expired-plain = is not changed: it could not be reached in time
unsure = It may have the new password all the same. Try both.
again = Try again
changes = Your latest changes
changes-none = There is none yet.
state-not-everywhere = is not changed, or not everywhere
source-gone = A system that is not here any more
back = Back to your passwords

continue = Continue
prove = Show that it is you
prove-about = It has been a while since you signed in.
second-code = Code
second-code-about = From your authenticator app, or one of your recovery codes.
wrong-second = That code is not right, or was used already. Wait for the next one. After several wrong tries, wait a while.

security = Your security
second-factor = Second factor
second-factor-about = Besides your password, a device of yours shows that it is you. Whoever learns your password cannot sign in with it alone.
second-factor-begin = Set up
second-factor-since = Set up, since { $date }
second-factor-remove = Remove
recovery-codes = Your recovery codes
recovery-codes-about = Keep them where your telephone is not. Each lets you in once in place of a code. They are shown only now.
recovery-codes-kept = I have kept them
recovery-codes-left =
    { $count ->
        [one] One recovery code is left.
        *[other] { $count } recovery codes are left.
    }
recovery-codes-new = New recovery codes
totp = Set up a second factor
totp-app = Open an authenticator app on your telephone.
totp-scan = Let it read this picture.
totp-picture = The picture that the app reads
totp-type = It cannot read it?
totp-here = Open it in an app on this device
totp-code = Enter the code that it shows.
sessions = Where you are signed in
session-this = this browser
session-since = since { $date }
sessions-end = Sign out everywhere else
unknown-browser = A browser
needs-second-factor = A second factor is needed
needs-second-factor-about = From here, this password is changed by those only who have one. Set it up first; it takes a minute.

reset = Forgot your password?
reset-about = Ask your help desk for a code. With it you set a new password here.
reset-code = Code from the help desk
reset-code-about = It works once, and only for a few minutes.
reset-wrong = That did not work. Check the user name and the code. After five wrong tries, ask for a new code.
reset-over = This was open for too long, or the password was set meanwhile
reset-over-about = Try whether you can sign in. If not, ask your help desk for a new code.
reset-done = Your password is set
reset-done-about = You can sign in with it now. Wherever you were signed in, you are signed out.

people = People
people-sought = Name, user name or e-mail address
people-find = Find
people-none = Nobody is found whose name begins like that.
people-more =
    { $count ->
        [one] One is shown at most. Write more of the name.
        *[other] { $count } are shown at most. Write more of the name.
    }
people-back = Back to the search
person-enabled = enabled
person-disabled = disabled
person-disabled-about = Disabled: this person does not sign in, and gets no code.
person-changes = Latest changes
accounts = Accounts
help = Help
help-code = Code for a new password
help-code-about = Who is on the telephone? Be sure first. With the code they set a new password themselves.
help-code-off = Codes for a new password are switched off for your organisation.
help-code-drawn = Read this code to them
help-code-for = It is for { $name } alone, works once, and only for a few minutes.
help-code-read = They enter it where they sign in, behind “Forgot your password?”. You do not see it again.
help-locked = Locked out after wrong tries.
help-not-locked = Not locked out here.
help-unlock = Unlock
help-sessions =
    { $count ->
        [0] Not signed in on these pages.
        [one] Signed in in one place.
        *[other] Signed in in { $count } places.
    }
help-sign-out = Sign out everywhere
help-second-factor = A second factor is asked for.
help-second-factor-remove = Remove the second factor
back-to-person = Back
help-refused = That is not for you to do
help-refused-about = Whoever has a level in the organisation is helped by an ORG_ADMIN; and nobody helps somebody who is disabled.
wrong-link = This link is not good any more. Get a new one where you got it.
state-retrying-until = cannot be reached, and is tried again until { $date }
half-over = It took too long. Sign in once more.
reset-partly = Your password is set, but not everywhere
their-change-running = The password is being changed
their-change-done = The password is changed
their-change-refused = The password was not changed
their-change-partly = The password is not changed everywhere
suggest = Make one up
suggested = A password is made up, and shown. Keep it in a password manager.
not-suggested = The rules leave nothing that could be made up.
help-codes-locked = Wrong codes or answers have locked the second factor too.
help-codes-locked-wait = Wrong codes or answers have locked the second factor too: an ORG_ADMIN unlocks it, or time does.
totp-add = Use codes from an app
totp-name = Codes from an app
passkey-add = Add a passkey
passkey-add-about = Your telephone, your computer or a security key lets you in when you unlock it: no code to type, and nothing that a false page could take from you.
passkey-make = Make a passkey
passkey-use = Use a passkey
passkey-failed = No passkey was shown. Try once more, or go on without.
passkey-not-made = No passkey was made. Try once more.
passkey-unknown-here = This browser has no passkeys.
passkey-no-script = Passkeys need JavaScript, which this browser does not run. Codes from an app do not.
passkey-too-many = This device has a passkey already, or you have too many. Remove one first.
passkey-name = Passkey
passkey-name-of = Passkey ({ $browser })
passkey-used = Last used on { $date }
recovery-code = Recovery code
recovery-code-about = One of those that you have kept, if your passkey is not here.
source-away = The system that knows your password cannot be asked at the moment. This was no wrong try; come back in a while.
deliveries = What is tried again
deliveries-about = These accounts have not got their new password yet. Each is tried again by itself; if you know that the system is back, you need not wait.
delivery-retry = Try now
delivery-until = Tried until { $date }.
expires = To be changed by { $date }
expired = Was to be changed by { $date }
wrong-passkey = That passkey is not known here, or this page stood open for too long. Try once more.
strength-weak = Easy to guess.
strength-fair = Not hard to guess. Longer is better.
strength-good = Hard to guess.
strength-strong = Very hard to guess.
passwords-sought = Find an application
passwords-not-found = None of your passwords is called like that.
cap = at most { $bytes } bytes: as many letters, fewer where they have accents
deliveries-more = The oldest { $count } are shown.
second-about = One more step: show that it is you.
change-wanted = Your password is to be changed before you go on: it has expired, or an administrator asks for it.
questions = Security questions
questions-about =
    { $count ->
        [one] Answer one, and you can show that it is you where a password alone is not enough. A second factor is better.
        *[other] Answer { $count } of them, and you can show that it is you where a password alone is not enough. A second factor is better.
    }
questions-answered = You answered them on { $date }. They are asked where a password alone is not enough, and before anything is changed here.
questions-not-asked = You have answered them. They are not asked while you have a second factor.
questions-answer = Answer security questions
questions-answer-about = Nobody reads your answers here, not even your administrators. Choose what others do not know and cannot look up.
questions-anew = Answer other questions
questions-asked = Answer the questions that you have chosen. Capital letters do not matter.
question = Question { $number }
answer = Answer { $number }
answers-about = From 3 to 64 characters each, and each another one. An answer need not be true, as long as you remember it.
answers-keep = Keep the answers
answers-remove = Remove the answers
answers-questions = The answers were not kept. Choose another question for each.
answers-length = The answers were not kept. Each has from 3 to 64 characters.
answers-alike = The answers were not kept: two of them are the same.
answers-known = The answers were not kept: one stands in its question, or is your name.
wrong-answers = Not all of these answers are right. After several wrong tries, wait a while.
needs-second-factor-or-answers = This password is changed by those only who show more than a password. Set a second factor up, or answer the security questions; it takes a minute.
help-answers = Security questions are answered.
worn = The password was not changed: this is the one that you signed in with. Choose another.
questions-not-enough = You answered some, but { $count } are asked for by now. Answer others.
