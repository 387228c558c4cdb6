CREATE TABLE `verified_urls` (
	`principal` text NOT NULL,
	`url` text NOT NULL,
	`until` integer NOT NULL,
	PRIMARY KEY(`principal`, `url`)
);
--> statement-breakpoint
CREATE INDEX `verified_urls_until` ON `verified_urls` (`until`);--> statement-breakpoint
DROP INDEX `callbacks_identity`;--> statement-breakpoint
ALTER TABLE `callbacks` ADD `subscription_id` text;--> statement-breakpoint
ALTER TABLE `callbacks` ADD `event_name` text;--> statement-breakpoint
CREATE UNIQUE INDEX `callbacks_subscription_id` ON `callbacks` (`subscription_id`) WHERE "subscription_id" is not null;--> statement-breakpoint
CREATE INDEX `callbacks_subscriptions` ON `callbacks` (`principal`,`registered_at`,`id`) WHERE "subscription_id" is not null;--> statement-breakpoint
CREATE INDEX `callbacks_subscribed` ON `callbacks` (`principal`,`task_id`) WHERE "subscription_id" is not null and "status" <> 'removed';--> statement-breakpoint
CREATE UNIQUE INDEX `callbacks_identity` ON `callbacks` (`principal`,`task_id`,`client_id`,`url`) WHERE "subscription_id" is null;--> statement-breakpoint
ALTER TABLE `deliveries` ADD `event_seq` integer;--> statement-breakpoint
ALTER TABLE `deliveries` ADD `cursor` text;--> statement-breakpoint
CREATE INDEX `deliveries_owed` ON `deliveries` (`callback_id`,`event_seq`) WHERE "event_seq" is not null and "status" in ('pending', 'sending');--> statement-breakpoint
CREATE INDEX `events_of_principal` ON `events` (`principal`,`seq`);--> statement-breakpoint
CREATE INDEX `tasks_of_principal` ON `tasks` (`principal`,`id`);