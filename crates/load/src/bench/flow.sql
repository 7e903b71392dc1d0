\set i :i + 1
\set n :first + :i * :clients + :client_id
\set digits (:n * 618033989) % 10000000000
\set national 750000000 + :n % 50000000
\set now 1700000000000000
\set then 1700000000000001
BEGIN;
SELECT user_id, organization_id, sequence, created_at, changed_at, username, given_name, family_name, nick_name, display_name, preferred_language, gender, email, email_verified, challenges, limits FROM accounts WHERE user_id = 'user-' || lpad(:digits, 10, '0') FOR UPDATE;
SELECT id, number, primary_number, verified_at, created_at, changed_at FROM phone_numbers WHERE user_id = 'user-' || lpad(:digits, 10, '0');
UPDATE accounts SET sequence = 3, changed_at = :now, challenges = '[{"id":"018bcfe5-6800-7000-8000-000000000001","purpose":"verify","phone":"018bcfe5-6800-7000-8000-000000000002","nonce":123456789012345678901234567890123456789,"key_version":1,"shape":{"length":6,"alphabet":"digits"},"expires_at":1700000600000000,"guesses_left":5}]' WHERE user_id = 'user-' || lpad(:digits, 10, '0');
INSERT INTO phone_numbers (id, user_id, organization_id, number, primary_number, verified_at, created_at, changed_at) VALUES ('018bcfe5-6801-7000-8000-' || lpad(:n, 12, '0'), 'user-' || lpad(:digits, 10, '0'), 'default', '+41' || lpad(:national, 9, '0'), true, NULL, :now, :now);
INSERT INTO events (id, user_id, organization_id, sequence, at, actor, kind, number_pseudonym, number_mask) VALUES ('018bcfe5-6801-7001-8000-' || lpad(:n, 12, '0'), 'user-' || lpad(:digits, 10, '0'), 'default', 2, :now, 'load', 'phone.set', '0123456789abcdef0123456789abcdef', '+4175•••••67'), ('018bcfe5-6801-7002-8000-' || lpad(:n, 12, '0'), 'user-' || lpad(:digits, 10, '0'), 'default', 3, :now, 'load', 'phone.code_returned', '0123456789abcdef0123456789abcdef', '+4175•••••67');
COMMIT;
BEGIN;
SELECT user_id, organization_id, sequence, created_at, changed_at, username, given_name, family_name, nick_name, display_name, preferred_language, gender, email, email_verified, challenges, limits FROM accounts WHERE user_id = 'user-' || lpad(:digits, 10, '0') FOR UPDATE;
SELECT id, number, primary_number, verified_at, created_at, changed_at FROM phone_numbers WHERE user_id = 'user-' || lpad(:digits, 10, '0');
SELECT state FROM budgets WHERE pseudonym = 'p' || lpad(:national, 9, '0') FOR UPDATE;
UPDATE accounts SET sequence = 4, changed_at = :then, challenges = '[]' WHERE user_id = 'user-' || lpad(:digits, 10, '0');
UPDATE phone_numbers SET verified_at = :then, changed_at = :then WHERE id = '018bcfe5-6801-7000-8000-' || lpad(:n, 12, '0');
INSERT INTO events (id, user_id, organization_id, sequence, at, actor, kind, number_pseudonym, number_mask) VALUES ('018bcfe5-6801-7003-8000-' || lpad(:n, 12, '0'), 'user-' || lpad(:digits, 10, '0'), 'default', 4, :then, 'load', 'phone.verified', '0123456789abcdef0123456789abcdef', '+4175•••••67');
COMMIT;
